// Makes and finds backends of tfjs-node's class: the real one, named `tensorflow`, whose binding is the addon, and others
// that only record what kernels ask for. Never goes through the package's own entry, which looks for an addon in node_modules.
import * as tf from '@tensorflow/tfjs-core';
import { requirePackage } from '../install/tfjsNodePackage.js';
import { registerBlockKernels } from './blockKernels.js';
import type { Addon, NodeBackend, OpBinding } from './tfjsNode.js';

/** The name that tfjs-node's kernels are registered for. */
export const REAL = 'tensorflow';

/** A backend on a binding, with the kernels known to tfjs. The caller registers it. */
export function createNodeBackend<Binding extends OpBinding>(binding: Binding): NodeBackend<Binding> {
  const { NodeJSKernelBackend } = requirePackage('@tensorflow/tfjs-node/dist/nodejs_kernel_backend.js') as {
    NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeBackend<Binding>;
  };
  requirePackage('@tensorflow/tfjs-node/dist/register_all_kernels.js');
  registerBlockKernels();
  return new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node');
}

/** The backend that computes, where the TensorFlow library is loaded. */
export function findRealBackend(): NodeBackend<Addon> | null {
  const backend = tf.findBackend(REAL) as NodeBackend<Addon> | null;
  // While a trace without the library runs, the recording backend has its name.
  return backend && 'loadSavedModel' in backend.binding ? backend : null;
}

/** @throws Error where the TensorFlow library is not loaded */
export function realBackend(): NodeBackend<Addon> {
  const backend = findRealBackend();
  if (!backend) throw new Error('the TensorFlow library is not loaded');
  return backend;
}
