// What the engine runs on and what is missing, for `engine status`. Opens the backend that a run with `auto` would get, so
// that it reports what is in use and not what ought to be. Never installs anything.
import type { Backend } from './backend.js';
import { openBackend } from './openBackend.js';
import { findCppCompiler, howToGetCompiler } from '../install/cppCompiler.js';
import { findInstallation, type EngineInstallation } from '../install/installation.js';
import { inspectMachine, type Machine } from '../machine/machine.js';
import { tfjsNodeVersion } from '../install/tfjsNodePackage.js';

export interface EngineStatus {
  installation: EngineInstallation | null;
  /** What a run with `"backend": "auto"` computes on. */
  backend: Backend;
  tfjsNodeVersion: string;
  machine: Machine;
  /** What to do about what is missing; empty when all is well. */
  advice: string[];
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
  if (installation === null && (await findCppCompiler()) === null) advice.push(howToGetCompiler);
  advice.push(...adviseOnGpu(installation, backend, machine));
  return { installation, backend, tfjsNodeVersion, machine, advice };
}

/** What stands between the machine's GPU and the engine. */
export function adviseOnGpu(
  installation: Pick<EngineInstallation, 'gpu'> | null,
  { device }: Pick<Backend, 'device'>,
  { gpus }: Pick<Machine, 'gpus'>,
): string[] {
  if (gpus.length > 0 && !installation?.gpu)
    return ['An NVIDIA GPU is there and not in use. Run: tunewright engine install --gpu'];
  if (installation?.gpu && !device.startsWith('GPU'))
    return [
      gpus.length > 0
        ? 'TensorFlow does not see the GPU: TF_CPP_MIN_LOG_LEVEL=0 tunewright engine status shows why (often an old driver).'
        : 'The GPU library is installed, and no NVIDIA GPU is seen: computing on the CPU.',
    ];
  return [];
}
