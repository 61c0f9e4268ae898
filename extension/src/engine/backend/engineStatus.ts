// What the engine runs on and what is missing, for `engine status`. Opens the backend that a run with `auto` would use, to
// report what is really in use. Never installs anything.
import { describeError, errorRecord } from '../../core/codedError.js';
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import type { Backend } from './backend.js';
import { openBackend } from './openBackend.js';
import { findCppCompiler, HOW_TO_GET_COMPILER } from '../install/cppCompiler.js';
import { DAWN_VERSION, findDawn } from '../install/dawnPackage.js';
import { findInstallation, type EngineInstallation } from '../install/installation.js';
import { inspectMachine, mayHaveGpu, type Machine } from '../machine/machine.js';
import { tfjsNodeVersion } from '../install/tfjsNodePackage.js';
import { listGpuAdapters } from '../webgpu/dawn.js';

export interface EngineStatus extends EngineStatusAnswer {
  installation: EngineInstallation | null;
  backend: Backend;
  tfjsNodeVersion: string;
  machine: Machine;
}

export async function engineStatus(): Promise<EngineStatus> {
  const advice: string[] = [];
  const installation = await findInstallation();
  const webgpu = await webgpuStatus();
  const backend = await openBackend({
    backend: 'auto',
    threads: null,
    onWarning: (_code, message) => advice.push(message),
  });
  const machine = await inspectMachine();
  if (installation === null && (await findCppCompiler()) === null) advice.push(HOW_TO_GET_COMPILER);
  advice.push(...adviseOnGpu(installation, backend, machine, webgpu));
  return { installation, webgpu, backend, tfjsNodeVersion, machine, advice };
}

async function webgpuStatus(): Promise<EngineStatusAnswer['webgpu']> {
  const possible = mayHaveGpu();
  if (findDawn() === null) return { possible, libraryVersion: null, adapters: [], problem: null };
  const libraryVersion = DAWN_VERSION;
  try {
    return { possible, libraryVersion, adapters: await listGpuAdapters(), problem: null };
  } catch (error) {
    return { possible, libraryVersion, adapters: [], problem: describeError(errorRecord(error)) };
  }
}

/** Why the machine's GPU is not in use. */
export function adviseOnGpu(
  installation: Pick<EngineInstallation, 'gpu'> | null,
  { device }: Pick<Backend, 'device'>,
  { gpus }: Pick<Machine, 'gpus'>,
  { possible, libraryVersion, adapters }: Omit<EngineStatusAnswer['webgpu'], 'problem'>,
): string[] {
  if (device.startsWith('GPU')) return [];
  const advice: string[] = [];
  const adapter = adapters.find(({ type }) => type === 'gpu');
  if (adapter) advice.push(`The GPU ${adapter.name} is used with "engine.backend": "webgpu" (--backend webgpu).`);
  else if (libraryVersion === null && possible)
    advice.push('To see which GPUs WebGPU can use here: tunewright engine install --webgpu');
  if (gpus.length > 0 && !installation?.gpu)
    advice.push('An NVIDIA GPU was found but is not in use. Run: tunewright engine install --gpu');
  if (installation?.gpu)
    advice.push(
      gpus.length > 0
        ? 'TensorFlow does not find the GPU, often because of an old driver. See: TF_CPP_MIN_LOG_LEVEL=0 tunewright engine status'
        : 'The GPU library is installed, but no NVIDIA GPU was found: using the CPU.',
    );
  return advice;
}
