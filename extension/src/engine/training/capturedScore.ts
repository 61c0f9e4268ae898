// Scores batches without training, with TensorFlow graphs: one for each shape of micro-batch. Called by evaluation
// during a run (capturedStep.ts) and by the `evaluate` command.
import * as tf from '@tensorflow/tfjs-core';
import { tensorsOf } from '../capture/compiledTree.js';
import { UntraceableError } from '../capture/opTable.js';
import type { Batch } from '../data/batch.js';
import type { Adapter } from '../peft/adapter.js';
import { bucketOf, type BucketSizes } from './buckets.js';
import { shapesOf, type CapturedGraphs } from './capturedGraphs.js';
import { batchTensors } from './microBatch.js';
import { scoreOf, type Tensors, type Training } from './stepMath.js';
import { readScore } from './trainingStep.js';

/** Scores a batch with a graph from `graphs`. @throws UntraceableError on an op that can't be captured */
export async function capturedScore(
  graphs: CapturedGraphs,
  { objective, model, adapter }: Omit<Training, 'adapter'> & { adapter: Adapter | null },
  batch: Batch,
  sizes: BucketSizes,
): Promise<any> {
  const tensors = batchTensors(objective, batch, bucketOf(objective.sizes(batch), sizes));
  const parameters: Tensors = adapter?.variables ?? new Map();
  const inputs = { tensors, parameters };
  const scored = await graphs.run(`score ${shapesOf(tensors)}`, inputs, ({ tensors, parameters }) =>
    scoreOf({ objective, model }, adapter?.forwardWith(parameters) ?? {}, tensors),
  );
  tf.dispose(tensorsOf(tensors));
  return readScore(objective, scored, batch);
}

/** Scores with captured graphs; if an op can't be captured, warns once and scores eagerly from then on. */
export function scoring<Score>(
  captured: (batch: Batch) => Promise<Score>,
  eagerly: (batch: Batch) => Promise<Score>,
  warn: (code: string, message: string) => void,
): (batch: Batch) => Promise<Score> {
  let captures = true;
  return async batch => {
    if (!captures) return eagerly(batch);
    try {
      return await captured(batch);
    } catch (error) {
      if (!(error instanceof UntraceableError)) throw error;
      warn('not_captured', `${error.message}; evaluation runs eagerly instead, which is slower and takes more memory`);
      captures = false;
      return eagerly(batch);
    }
  };
}
