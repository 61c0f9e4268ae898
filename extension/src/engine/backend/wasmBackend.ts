// Registers the WebAssembly backend of tfjs, which comes with npm and needs no installation. Called by openBackend only, once per
// process. One thread: tfjs starts wasm threads in browsers only (https://github.com/tensorflow/tfjs/issues/3830).
import * as tf from '@tensorflow/tfjs-core';
import { dirname, join } from 'node:path';
import { cpuModel } from '../machine/machine.js';
import { requireFromTfjsNode, requirePackage } from '../install/tfjsNodePackage.js';
import type { Backend } from './backend.js';

export async function loadWasmBackend(): Promise<Backend> {
  // tfjs-core's bundle for Node doesn't register gradients; the union package, which tfjs-node loads too, does.
  requireFromTfjsNode('@tensorflow/tfjs');
  const wasm = requirePackage('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(join(dirname(requirePackage.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
  if (!(await tf.setBackend('wasm'))) throw new Error('the wasm backend of tfjs could not be started');
  return { name: 'wasm', libraryVersion: wasm.version_wasm, device: `CPU (${cpuModel()})`, threads: 1 };
}
