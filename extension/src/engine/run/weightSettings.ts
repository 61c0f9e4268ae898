// How base weights are stored and multiplied: the settings of a run file or of a command, checked against method, backend and CPU.
// Called by prepareRun.ts and openModel.ts, after opening the backend and before reading weights, and by the estimate.
import { InputError } from '../../core/inputError.js';
import type { UsedWeights, WeightSettings } from '../../protocol/engineConfig.js';
import { isFull, type Backend } from '../backend/backend.js';
import { bfloat16Pays, machineSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import { BFLOAT16_FEATURES, cpuFeatures } from '../machine/machine.js';
import type { PeftMethod } from '../peft/method.js';
import type { Reporter } from './reporter.js';

export interface WeightUse {
  backend: Pick<Backend, 'name'>;
  /** The method to train; null for inference. */
  method: Pick<PeftMethod, 'peftType' | 'storage'> | null;
  reporter: Reporter;
  threads: number | null;
  features?: readonly string[];
  /** Gets the machine's speed, null if it isn't known; only called for `auto`. */
  speed?: (threads: number | null) => Promise<MachineSpeed | null>;
}

/**
 * The settings to use on this machine. Warns if bfloat16 products are requested but wouldn't help.
 * @throws InputError if quantized weights are requested but no weight is frozen, or the backend doesn't support them
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
        `${method.peftType} trains all weights, so there are no frozen weights to store as ${baseWeights}`,
        { key, hint: 'Set it to "float32", or use a method that keeps the base frozen.' },
      );
    if (!isFull(backend))
      throw new InputError(`the ${backend.name} backend can't compute with ${baseWeights} weights`, {
        key,
        hint: 'Set it to "float32", or install TensorFlow: tunewright engine install',
      });
  }
  if (precision === 'float32') return { base_weights: baseWeights, precision };
  const reason = trainsAll
    ? `${method.peftType} trains all weights, and bfloat16 is used for products with frozen ones only`
    : backend.name !== 'tensorflow'
      ? `the ${backend.name} backend does not support bfloat16`
      : !features.some(feature => BFLOAT16_FEATURES.includes(feature))
        ? `this CPU supports neither ${BFLOAT16_FEATURES.join(' nor ')}`
        : null;
  const asMeasured = async () => {
    const measured = await speed(threads);
    return measured !== null && bfloat16Pays(measured);
  };
  const pays = reason === null && (precision === 'bfloat16' || (await asMeasured()));
  if (pays) return { base_weights: baseWeights, precision: 'bfloat16' };
  if (precision === 'bfloat16')
    reporter.warn('precision_not_used', `engine.precision is float32 instead of bfloat16: ${reason}`);
  return { base_weights: baseWeights, precision: 'float32' };
}
