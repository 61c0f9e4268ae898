// Creates and finds instances of tfjs-node's backend class: the real one, named `tensorflow`, whose binding is the
// addon, and others that only record what kernels do. Never uses the package's entry point, which looks for an addon in
// node_modules.
import * as tf from '@tensorflow/tfjs-core';
import { requirePackage } from '../install/tfjsNodePackage.js';
import { registerBlockKernels } from './blockKernels.js';
import type { Addon, NodeBackend, OpBinding } from './tfjsNode.js';

/** The backend name that tfjs-node registers its kernels for. */
export const REAL = 'tensorflow';

/** A backend on a binding; tfjs-node's kernels are registered too. The caller registers the backend. */
export function createNodeBackend<Binding extends OpBinding>(binding: Binding): NodeBackend<Binding> {
  const { NodeJSKernelBackend } = requirePackage('@tensorflow/tfjs-node/dist/nodejs_kernel_backend.js') as {
    NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeBackend<Binding>;
  };
  requirePackage('@tensorflow/tfjs-node/dist/register_all_kernels.js');
  registerBlockKernels();
  return new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node');
}

/** The backend that computes; null if the TensorFlow library isn't loaded. */
export function findRealBackend(): NodeBackend<Addon> | null {
  const backend = tf.findBackend(REAL) as NodeBackend<Addon> | null;
  // While tracing without the library, the recording backend is registered under this name.
  return backend && 'loadSavedModel' in backend.binding ? backend : null;
}

/** @throws Error if the TensorFlow library isn't loaded */
export function realBackend(): NodeBackend<Addon> {
  const backend = findRealBackend();
  if (!backend) throw new Error('the TensorFlow library is not loaded');
  return backend;
}
