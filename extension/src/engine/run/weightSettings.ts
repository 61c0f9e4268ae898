// How a base is held and multiplied: what a run file or the flags of a command ask for, against what method, backend and CPU
// have. Called by prepareRun.ts and openModel.ts, once the backend is open and before a weight is read.
import { InputError } from '../../core/inputError.js';
import type { UsedWeights, WeightSettings } from '../../protocol/runConfig.js';
import type { Backend } from '../backend/backend.js';
import { bfloat16Pays, machineSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import { BFLOAT16_FEATURES, cpuFeatures } from '../machine/machine.js';
import type { PeftMethod } from '../peft/method.js';
import type { Reporter } from './reporter.js';

export interface WeightUse {
  backend: Backend;
  /** What trains beside the base; null where nothing does. */
  method: Pick<PeftMethod, 'peftType' | 'storage'> | null;
  reporter: Reporter;
  threads: number | null;
  features?: readonly string[];
  /** The machine's rates; only asked for by `auto`. */
  speed?: (threads: number | null) => Promise<MachineSpeed>;
}

/**
 * The settings as they can be used here; where products in bfloat16 are asked for and wouldn't help, the user is told why.
 * @throws InputError where there is nothing to hold in few bits, or nobody to compute with it
 */
export async function usableWeights(
  { base_weights: baseWeights, precision }: WeightSettings,
  { backend, method, reporter, threads, features = cpuFeatures(), speed = machineSpeed }: WeightUse,
): Promise<UsedWeights> {
  const trainsAll = method?.storage === 'model';
  if (baseWeights !== 'float32') {
    const key = 'engine.base_weights';
    if (trainsAll)
      throw new InputError(
        `${method.peftType} trains every weight, so none is frozen that could be held as ${baseWeights}`,
        { key, hint: 'Set it to "float32", or take a method that leaves the base frozen.' },
      );
    if (backend.name !== 'tensorflow')
      throw new InputError(`the ${backend.name} backend can't compute with ${baseWeights} weights`, {
        key,
        hint: 'Set it to "float32", or install TensorFlow by: tunewright engine install',
      });
  }
  if (precision === 'float32') return { base_weights: baseWeights, precision };
  const reason = trainsAll
    ? `${method.peftType} trains every weight, and bfloat16 is for products with frozen ones`
    : backend.name !== 'tensorflow'
      ? `the ${backend.name} backend has no bfloat16`
      : !features.some(feature => BFLOAT16_FEATURES.includes(feature))
        ? `this CPU has neither ${BFLOAT16_FEATURES.join(' nor ')}`
        : null;
  const pays = reason === null && (precision === 'bfloat16' || bfloat16Pays(await speed(threads)));
  if (pays) return { base_weights: baseWeights, precision: 'bfloat16' };
  if (precision === 'bfloat16')
    reporter.warn('precision_not_used', `engine.precision bfloat16 would not help: ${reason}; float32 is used`);
  return { base_weights: baseWeights, precision: 'float32' };
}
