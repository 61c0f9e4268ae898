// Opens the backend: TensorFlow's C library if it is installed, else WebAssembly. Called once by every command that runs a
// model, before any tensor is created. Never installs anything.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import { findInstallation } from '../install/installation.js';
import type { Backend } from './backend.js';
import { loadTensorflowBackend } from './tensorflowBackend.js';
import { loadWebgpuBackend } from './webgpuBackend.js';
import { loadWasmBackend } from './wasmBackend.js';

export interface OpenBackendOptions
  extends Pick<EngineConfig, 'backend' | 'threads'>, Partial<Pick<EngineConfig, 'adapter'>> {
  /** `code` is that of `warned` events. */
  onWarning: (code: string, message: string) => void;
}

const INSTALL = 'Run: tunewright engine install';
const UNUSABLE = { code: 'engine_not_installed', key: 'engine.backend' } as const;
const COST = 'using the wasm backend, which is about 8 times slower';

const opened = new Map<Backend['name'], Backend>();

/**
 * Sets tfjs's current backend. A process loads each backend once, with the number of threads of the first call.
 * @throws InputError if `tensorflow` is requested but not available
 */
export async function openBackend({
  backend,
  adapter = null,
  threads,
  onWarning,
}: OpenBackendOptions): Promise<Backend> {
  if (backend === 'wasm') return open('wasm', loadWasmBackend);
  if (backend === 'webgpu') return open('webgpu', () => loadWebgpuBackend(adapter));
  const installation = await findInstallation();
  if (installation === null) {
    if (backend === 'tensorflow') throw new InputError('TensorFlow is not installed', { ...UNUSABLE, hint: INSTALL });
    onWarning('tensorflow_not_installed', `TensorFlow is not installed: ${COST}. ${INSTALL}`);
    return open('wasm', loadWasmBackend);
  }
  try {
    return await open('tensorflow', () => loadTensorflowBackend(installation, threads));
  } catch (error) {
    const reason = `TensorFlow could not be loaded from ${installation.folder} (${(error as Error).message})`;
    if (backend === 'tensorflow') throw new InputError(reason, { ...UNUSABLE, hint: `${INSTALL} --force` });
    onWarning('tensorflow_not_loaded', `${reason}: ${COST}. ${INSTALL} --force`);
    return open('wasm', loadWasmBackend);
  }
}

async function open(name: Backend['name'], load: () => Promise<Backend>): Promise<Backend> {
  const backend = opened.get(name) ?? (await load());
  opened.set(name, backend);
  await tf.setBackend(name);
  return backend;
}
