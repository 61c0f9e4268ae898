// Registers the WebAssembly backend of tfjs, which is all npm and needs nothing installed. Called by openBackend alone, once
// a process. One thread: tfjs starts wasm threads in browsers only (https://github.com/tensorflow/tfjs/issues/3830).
import * as tf from '@tensorflow/tfjs-core';
import { dirname, join } from 'node:path';
import { cpuModel } from '../machine/machine.js';
import { requireFromTfjsNode, requirePackage } from '../install/tfjsNodePackage.js';
import type { Backend } from './backend.js';

export async function loadWasmBackend(): Promise<Backend> {
  // tfjs-core's bundle for Node registers no gradients; loading the union package (what tfjs-node loads too) does
  requireFromTfjsNode('@tensorflow/tfjs');
  const wasm = requirePackage('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(join(dirname(requirePackage.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
  if (!(await tf.setBackend('wasm'))) throw new Error('the wasm backend of tfjs could not be started');
  return { name: 'wasm', libraryVersion: wasm.version_wasm, device: `CPU (${cpuModel()})`, threads: 1 };
}
