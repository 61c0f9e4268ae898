// What the engine runs on and what is missing, for `engine status`. Opens the backend that a run with `auto` would use, to
// report what is really in use. Never installs anything.
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import type { Backend } from './backend.js';
import { openBackend } from './openBackend.js';
import { findCppCompiler, HOW_TO_GET_COMPILER } from '../install/cppCompiler.js';
import { findInstallation, type EngineInstallation } from '../install/installation.js';
import { inspectMachine, type Machine } from '../machine/machine.js';
import { tfjsNodeVersion } from '../install/tfjsNodePackage.js';

export interface EngineStatus extends EngineStatusAnswer {
  installation: EngineInstallation | null;
  backend: Backend;
  tfjsNodeVersion: string;
  machine: Machine;
}

export async function engineStatus(): Promise<EngineStatus> {
  const advice: string[] = [];
  const installation = await findInstallation();
  const backend = await openBackend({
    backend: 'auto',
    threads: null,
    onWarning: (_code, message) => advice.push(message),
  });
  const machine = await inspectMachine();
  if (installation === null && (await findCppCompiler()) === null) advice.push(HOW_TO_GET_COMPILER);
  advice.push(...adviseOnGpu(installation, backend, machine));
  return { installation, backend, tfjsNodeVersion, machine, advice };
}

/** Why the machine's GPU is not in use. */
export function adviseOnGpu(
  installation: Pick<EngineInstallation, 'gpu'> | null,
  { device }: Pick<Backend, 'device'>,
  { gpus }: Pick<Machine, 'gpus'>,
): string[] {
  if (gpus.length > 0 && !installation?.gpu)
    return ['An NVIDIA GPU was found but is not in use. Run: tunewright engine install --gpu'];
  if (installation?.gpu && !device.startsWith('GPU'))
    return [
      gpus.length > 0
        ? 'TensorFlow does not find the GPU, often because of an old driver. See: TF_CPP_MIN_LOG_LEVEL=0 tunewright engine status'
        : 'The GPU library is installed, but no NVIDIA GPU was found: using the CPU.',
    ];
  return [];
}
