// The micro-batches of each optimizer step, for the whole run. Pure: they follow from seed, rows and settings, so that
// a resumed run gets exactly the batches that it would have got without the interruption.
import { InputError } from '../../core/inputError.js';
import type { TrainingConfig } from '../../protocol/runConfig.js';
import { planEpoch, type MicroBatchPlan, type PlanOptions } from '../data/batches.js';
import type { Dataset } from '../data/loadDataset.js';
import { createRng, type Rng } from '../data/rng.js';
import type { RunShape } from './runShape.js';

/** Rows of a dataset, for training or for evaluation. */
export interface RowSet {
  dataset: Dataset;
  indices: ArrayLike<number>;
}

/** The plan of a run's training rows. */
export function planSteps(
  rows: Pick<PlanOptions, 'dataset' | 'indices'>,
  shape: Pick<RunShape, 'batchSize' | 'maxLength' | 'packing'>,
  config: TrainingConfig,
): StepPlan {
  return new StepPlan(rows, shape, config, createRng(config.seed).fork('order'));
}

/** Rows of all epochs whose orders are laid out in advance, which takes about a second for ten million. */
const MAX_PLANNED_ROWS = 1e8;

const canLayOut = (epochs: number, rows: number): boolean => epochs * rows <= MAX_PLANNED_ROWS;

/** Packed rows that are shuffled make other sequences in each epoch. */
function epochsDiffer({ packing }: Pick<RunShape, 'packing'>, { shuffle }: Pick<TrainingConfig, 'shuffle'>): boolean {
  return packing && shuffle;
}

/**
 * @param rows number of training rows
 * @param file of the configuration, for the error
 * @throws InputError if a run that ends by epochs has too many to lay out
 */
export function checkEpochs(
  rows: number,
  shape: Pick<RunShape, 'packing'>,
  { max_steps: maxSteps, num_train_epochs: epochs, shuffle }: TrainingConfig,
  file?: string,
): void {
  if (maxSteps > 0 || !epochsDiffer(shape, { shuffle }) || canLayOut(epochs, rows)) return;
  throw new InputError(`${epochs} epochs of ${rows} packed rows are too many to lay out`, {
    file,
    key: 'training.num_train_epochs',
    hint: 'Set training.max_steps instead, fewer epochs, or dataset.packing to false.',
  });
}

export class StepPlan {
  readonly totalSteps: number;
  /** Updates of a whole epoch; null if that differs from one to the next, as when rows are packed in a new order each time. */
  private readonly perEpoch: number | null;
  /** Then, by epoch as far as they were needed: updates until its end. */
  private readonly ends: number[] = [];
  private current: { epoch: number; steps: MicroBatchPlan[][] } | null = null;

  constructor(
    private readonly rows: Pick<PlanOptions, 'dataset' | 'indices'>,
    private readonly shape: Pick<RunShape, 'batchSize' | 'maxLength' | 'packing'>,
    private readonly config: TrainingConfig,
    private readonly rng: Rng,
  ) {
    const { num_train_epochs: epochs, max_steps: maxSteps } = config;
    checkEpochs(rows.indices.length, shape, config);
    this.perEpoch = epochsDiffer(shape, config) ? null : this.stepsOf(0).length;
    const whole = Math.floor(epochs);
    // A fraction of an epoch at the end has that fraction of its steps.
    const rest = () => (epochs > whole ? Math.ceil(this.stepsOf(whole).length * (epochs - whole)) : 0);
    this.totalSteps = maxSteps > 0 ? maxSteps : this.startOf(whole) + rest();
  }

  /** The micro-batches of update `step`, counted from 0. */
  microBatches(step: number): MicroBatchPlan[] {
    const epoch = this.epochOf(step);
    return this.stepsOf(epoch)[step - this.startOf(epoch)]!;
  }

  /** The epoch of update `step`, both counted from 0. */
  epochOf(step: number): number {
    if (this.perEpoch !== null) return Math.floor(step / this.perEpoch);
    let epoch = Math.max(0, this.ends.length - 1);
    while (step >= this.startOf(epoch + 1)) epoch++;
    while (step < this.startOf(epoch)) epoch--;
    return epoch;
  }

  /** Whether rows are used more than once. */
  get repeatsRows(): boolean {
    return this.totalSteps > this.startOf(1);
  }

  /** Passes over the rows after `steps` updates, with their fraction. */
  epochsAfter(steps: number): number {
    if (steps === 0) return 0;
    const epoch = this.epochOf(steps - 1);
    return epoch + (steps - this.startOf(epoch)) / (this.startOf(epoch + 1) - this.startOf(epoch));
  }

  /** Whether an epoch, or the run, ends after `steps` updates. */
  endsEpoch(steps: number): boolean {
    return steps === this.totalSteps || this.startOf(this.epochOf(steps)) === steps;
  }

  /**
   * The fewest updates whose rows have this number of tokens, virtual tokens not counted.
   * @returns null if they are too many to lay out
   */
  stepsForTokens(tokens: number): number | null {
    const { dataset, indices } = this.rows;
    let inEpoch = 0;
    for (let i = 0; i < indices.length; i++) inEpoch += dataset.lengthOf(indices[i]!);
    const epoch = Math.ceil(tokens / inEpoch) - 1;
    if (!this.canPlan(epoch)) return null;
    let seen = epoch * inEpoch;
    let step = this.startOf(epoch);
    for (; seen < tokens; step++)
      for (const { sequences } of this.microBatches(step))
        for (const row of sequences.flat()) seen += dataset.lengthOf(row);
    return step;
  }

  private canPlan(epochs: number): boolean {
    return this.perEpoch !== null || canLayOut(epochs, this.rows.indices.length);
  }

  /** Updates before an epoch. */
  private startOf(epoch: number): number {
    if (this.perEpoch !== null) return epoch * this.perEpoch;
    while (this.ends.length < epoch) this.ends.push((this.ends.at(-1) ?? 0) + this.stepsOf(this.ends.length).length);
    return epoch === 0 ? 0 : this.ends[epoch - 1]!;
  }

  private stepsOf(epoch: number): MicroBatchPlan[][] {
    if (this.current?.epoch === epoch) return this.current.steps;
    const plans = planEpoch({
      ...this.rows,
      ...this.shape,
      shuffle: this.config.shuffle,
      rng: this.rng.fork(`epoch ${epoch}`),
    });
    const size = this.config.gradient_accumulation_steps;
    const steps = Array.from({ length: Math.ceil(plans.length / size) }, (_, i) =>
      plans.slice(i * size, (i + 1) * size),
    );
    this.current = { epoch, steps };
    return steps;
  }
}
