// How a few corrected answers are trained: until they are learned, and no longer, since they are all that the run sees. Called by
// the host when a run on corrections starts. Measured: see docs/measurements/corrections.md.
import { EMBEDDED_MODEL_ID } from './proposeRun.js';

/** With more rows a run is as any other: rows are held out, and its own schedule counts. */
export const MAX_CORRECTIONS = 19;

/** Of the rate that taught the adapter what it knows. */
const EMBEDDED_RATE_SHARE = 0.4;
const EPOCHS = 10;
/** No checkpoint before the end of so short a run. */
const NEVER = 1_000_000;

/**
 * The keys of `training` for a run on corrections only; others stay as they are.
 * @param learningRate of the run that is continued, or that is proposed
 */
export function correctionTraining(model: string, learningRate: number | undefined): Record<string, number | null> {
  const share = model === EMBEDDED_MODEL_ID ? EMBEDDED_RATE_SHARE : 1;
  return {
    ...(learningRate === undefined ? {} : { learning_rate: Number((learningRate * share).toPrecision(3)) }),
    num_train_epochs: EPOCHS,
    max_steps: -1,
    per_device_train_batch_size: 1,
    gradient_accumulation_steps: 1,
    warmup_steps: 0,
    warmup_ratio: 0,
    eval_steps: null,
    save_steps: NEVER,
  };
}
