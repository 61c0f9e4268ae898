// Opens the backend: TensorFlow's C library if it is installed, else a GPU by WebGPU, else WebAssembly. Called once by every command that runs a
// model, before any tensor is created. Never installs anything.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import { wantedBackend } from '../../core/wantedBackend.js';
import type { DeviceSettings } from '../../protocol/engineConfig.js';
import { findDawn } from '../install/dawnPackage.js';
import { findInstallation } from '../install/installation.js';
import { findRealGpu } from '../webgpu/dawn.js';
import type { Backend } from './backend.js';
import { loadTensorflowBackend } from './tensorflowBackend.js';
import { loadWebgpuBackend, webgpuHasFailed } from './webgpuBackend.js';
import { loadWasmBackend } from './wasmBackend.js';

export interface OpenBackendOptions extends DeviceSettings {
  /** `code` is that of `warned` events. */
  onWarning: (code: string, message: string) => void;
}

const INSTALL = 'Run: tunewright engine install';
const UNUSABLE = { code: 'engine_not_installed', key: 'engine.backend' } as const;
const COST = 'using the wasm backend, which is about 8 times slower';

const opened = new Map<Backend['name'], Backend>();

/**
 * Sets tfjs's current backend. A process loads each backend once, with the number of threads of the first call; a GPU that
 * has failed is opened again.
 * @throws InputError if `tensorflow` or `webgpu` is requested but not available, or there is no such GPU
 */
export async function openBackend({
  backend,
  adapter = null,
  threads,
  onWarning,
}: OpenBackendOptions): Promise<Backend> {
  const wanted = wantedBackend({ backend, adapter });
  if (adapter !== null && wanted !== 'webgpu')
    throw new InputError(`only webgpu has adapters, not ${backend}`, {
      key: 'engine.adapter',
      hint: 'Leave it out, or set engine.backend to "webgpu".',
    });
  if (wanted === 'wasm') return open('wasm', loadWasmBackend);
  if (wanted === 'webgpu') return open('webgpu', () => loadWebgpuBackend(adapter));
  const installation = await findInstallation();
  if (installation === null) {
    if (wanted === 'tensorflow') throw new InputError('TensorFlow is not installed', { ...UNUSABLE, hint: INSTALL });
    return openWithoutTensorflow('TensorFlow is not installed', INSTALL, message =>
      onWarning('tensorflow_not_installed', message),
    );
  }
  try {
    return await open('tensorflow', () => loadTensorflowBackend(installation, threads));
  } catch (error) {
    const reason = `TensorFlow could not be loaded from ${installation.folder} (${(error as Error).message})`;
    if (wanted === 'tensorflow') throw new InputError(reason, { ...UNUSABLE, hint: `${INSTALL} --force` });
    return openWithoutTensorflow(reason, `${INSTALL} --force`, message => onWarning('tensorflow_not_loaded', message));
  }
}

/** A GPU, never one that is software and computes on the CPU; else wasm. */
async function openWithoutTensorflow(
  reason: string,
  remedy: string,
  warn: (message: string) => void,
): Promise<Backend> {
  let failure = '';
  if (findDawn() !== null) {
    try {
      const gpu = await findRealGpu();
      if (gpu !== null) {
        const backend = await open('webgpu', () => loadWebgpuBackend(gpu.index));
        warn(`${reason}: using the ${backend.device} through WebGPU. ${remedy}`);
        return backend;
      }
    } catch (error) {
      failure = `, and neither can the GPU be used (${(error as Error).message})`;
    }
  }
  warn(`${reason}${failure}: ${COST}. ${remedy}`);
  return open('wasm', loadWasmBackend);
}

async function open(name: Backend['name'], load: () => Promise<Backend>): Promise<Backend> {
  const isUsable = name !== 'webgpu' || !webgpuHasFailed();
  const backend = (isUsable ? opened.get(name) : undefined) ?? (await load());
  opened.set(name, backend);
  await tf.setBackend(name);
  return backend;
}
