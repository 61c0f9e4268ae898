// The loss of each row of a dataset under a model, with or without an adapter. Called by `evaluate --dataset` and for the rows of a run.
import type { Batch } from '../data/batch.js';
import { batchesOf, planEpoch } from '../data/batches.js';
import { createRng } from '../data/rng.js';
import type { CausalLm } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import type { Reporter } from './reporter.js';
import type { BucketSizes } from '../training/buckets.js';
import { CapturedGraphs } from '../training/capturedGraphs.js';
import { capturedScore, scoring } from '../training/capturedScore.js';
import { evaluate, type Evaluation } from '../training/evaluate.js';
import { causalLm as objective } from '../training/objectives/causalLm.js';
import type { RowSet } from '../training/stepPlan.js';
import { lossesByRow, type RowLosses } from '../training/tokenLosses.js';
import { scoreBatch } from '../training/trainingStep.js';

export interface ScoreRowsOptions extends RowSet {
  model: CausalLm;
  adapter: Adapter | null;
  /** Whether to capture the forward pass as graphs. */
  compile: boolean;
  sizes: BucketSizes;
  reporter: Reporter;
  /** Called after each batch; `losses` computes those of its rows. */
  onRows(losses: () => RowLosses[]): void;
  signal?: AbortSignal;
}

/** Rows are packed. Loss and metrics are those of all rows together. */
export async function scoreRows(options: ScoreRowsOptions): Promise<Evaluation> {
  const { model, adapter, dataset, indices, compile, sizes, reporter, onRows, signal } = options;
  const plans = planEpoch({ dataset, indices, ...sizes, packing: true, shuffle: false, rng: createRng(0) });
  const firstVirtualId = model.architecture.vocabSize;
  const batches = batchesOf(plans, dataset, { virtualTokens: adapter?.attached.virtualTokens, firstVirtualId });
  const eagerly = (batch: Batch) => scoreBatch({ objective, model }, adapter?.forwardOptions ?? {}, batch);
  const graphs = new CapturedGraphs();
  const captured = (batch: Batch) => capturedScore(graphs, { objective, model, adapter }, batch, sizes);
  const score = compile ? scoring(captured, eagerly, reporter.warn) : eagerly;
  let done = 0;
  try {
    return await evaluate(objective, score, batches, ({ losses }, batch) => {
      signal?.throwIfAborted();
      onRows(() => lossesByRow(plans[done]!, batch, losses));
      reporter.progress('evaluate', ++done, plans.length);
    });
  } finally {
    graphs.dispose();
  }
}
