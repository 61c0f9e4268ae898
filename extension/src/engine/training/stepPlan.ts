// The micro-batches of each optimizer step, for the whole run. Pure: they follow from seed, rows and settings, so that
// a resumed run gets exactly the batches that it would have got without the interruption.
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

export class StepPlan {
  readonly totalSteps: number;
  private readonly stepsPerEpoch: number[] = [];
  private current: { epoch: number; steps: MicroBatchPlan[][] } | null = null;

  constructor(
    private readonly rows: Pick<PlanOptions, 'dataset' | 'indices'>,
    private readonly shape: Pick<RunShape, 'batchSize' | 'maxLength' | 'packing'>,
    private readonly config: TrainingConfig,
    private readonly rng: Rng,
  ) {
    const { num_train_epochs: epochs, max_steps: maxSteps } = config;
    let total = 0;
    for (let epoch = 0; maxSteps > 0 ? total < maxSteps : epoch < epochs; epoch++) {
      const steps = this.stepsOf(epoch).length;
      // A fraction of an epoch at the end has that fraction of its steps.
      const taken = maxSteps > 0 ? steps : Math.ceil(steps * Math.min(1, epochs - epoch));
      this.stepsPerEpoch.push(taken);
      total += taken;
    }
    this.totalSteps = maxSteps > 0 ? maxSteps : total;
  }

  /** The micro-batches of update `step`, counted from 0. */
  microBatches(step: number): MicroBatchPlan[] {
    const epoch = this.epochOf(step);
    const before = this.stepsPerEpoch.slice(0, epoch).reduce((sum, steps) => sum + steps, 0);
    return this.stepsOf(epoch)[step - before]!;
  }

  /** The epoch of update `step`, both counted from 0. */
  epochOf(step: number): number {
    let epoch = 0;
    for (let end = this.stepsPerEpoch[0]!; step >= end;) end += this.stepsPerEpoch[++epoch]!;
    return epoch;
  }

  /** Passes over the rows, including an incomplete one. */
  get epochs(): number {
    return this.stepsPerEpoch.length;
  }

  /** Passes over the rows after `steps` updates, with their fraction. */
  epochsAfter(steps: number): number {
    let before = 0;
    for (const [epoch, count] of this.stepsPerEpoch.entries()) {
      if (steps <= before + count) return epoch + (steps - before) / this.stepsOf(epoch).length;
      before += count;
    }
    return this.stepsPerEpoch.length;
  }

  /** Whether an epoch, or the run, ends after `steps` updates. */
  endsEpoch(steps: number): boolean {
    let before = 0;
    return steps === this.totalSteps || this.stepsPerEpoch.some(count => (before += count) === steps);
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
