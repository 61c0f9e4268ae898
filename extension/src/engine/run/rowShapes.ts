// What the lengths of its rows imply for a run: the longest sequence, and the number of gradient graphs, one per bucket that
// occurs. For the memory estimates of training and of `estimate`.
import { countLabels } from '../../core/data/example.js';
import type { TrainingConfig } from '../../protocol/runConfig.js';
import { bucketOf } from '../training/buckets.js';
import type { RunShape } from '../training/runShape.js';
import { planSteps, type RowSet } from '../training/stepPlan.js';

/** Enough rows to represent the others. */
export const SAMPLE_ROWS = 1000;
/** Later epochs rarely add a new bucket. */
const SAMPLE_EPOCHS = 10;

/** What determines buckets; both by row. */
export interface RowShapes {
  lengths: ArrayLike<number>;
  /** Number of label tokens. */
  labels: ArrayLike<number>;
}

/** The first rows of a set. */
export function rowShapes({ dataset, indices }: RowSet): RowShapes {
  const rows = Array.from({ length: Math.min(SAMPLE_ROWS, indices.length) }, (_, i) => indices[i]!);
  return {
    lengths: rows.map(row => dataset.lengthOf(row)),
    labels: rows.map(row => countLabels(dataset.get(row).labels)),
  };
}

/** Tokens of the longest sequence of rows, without the virtual tokens of the method. */
export function longestSequence(rows: { longest: number; tokens: number }, { packing, maxLength }: RunShape): number {
  return packing ? Math.min(maxLength, rows.tokens) : rows.longest;
}

export function countGraphs({ lengths, labels }: RowShapes, training: TrainingConfig, shape: RunShape): number {
  if (lengths.length === 0) return 1;
  const { batchSize, virtualTokens, gradientAccumulationSteps: group } = shape;
  // For rows that aren't packed; packed ones need fewer steps.
  const sampleSteps = SAMPLE_EPOCHS * Math.ceil(lengths.length / (batchSize * group));
  const plan = planSteps(
    { dataset: { lengthOf: row => lengths[row]! }, indices: Array.from(lengths, (_, row) => row) },
    shape,
    {
      ...training,
      num_train_epochs: Math.min(SAMPLE_EPOCHS, training.num_train_epochs),
      max_steps: Math.min(sampleSteps, training.max_steps),
    },
  );
  const sum = (of: (row: number) => number) => (rows: number[]) => rows.reduce((total, row) => total + of(row), 0);
  const graphs = new Set<string>();
  for (let step = 0; step < plan.totalSteps; step++)
    for (const [i, { sequences }] of plan.microBatches(step).entries()) {
      const tokens = sequences.map(sum(row => virtualTokens + lengths[row]!));
      const rowCount = sum(row => labels[row]!)(sequences.flat());
      const bucket = bucketOf({ batchSize: sequences.length, sequenceLength: Math.max(...tokens), rowCount }, shape);
      // All micro-batches of a step but the first add to existing gradients, by another graph.
      graphs.add(JSON.stringify([bucket, i > 0]));
    }
  return graphs.size;
}
