// The losses of a batch without training, as TensorFlow graphs: one for each shape of micro-batch. Called by evaluation
// within a run (capturedStep.ts) and by the `evaluate` command.
import * as tf from '@tensorflow/tfjs-core';
import { CompiledFunction } from '../capture/compiledFunction.js';
import { UntraceableError } from '../capture/opTable.js';
import { specsOf } from '../capture/tracingBackend.js';
import type { Batch } from '../data/batch.js';
import type { CausalLm } from '../models/causalLm.js';
import type { Adapter } from '../peft/adapter.js';
import { roundUpToBucket, type BucketSizes } from './buckets.js';
import type { BatchScore } from './evaluate.js';
import { batchTensors, microBatch, scoreOf, type MicroBatch } from './stepMath.js';

/** Owns its graphs; model and adapter stay the caller's. */
export class CapturedScore {
  private readonly graphs = new Map<string, CompiledFunction>();

  constructor(
    private readonly model: CausalLm,
    private readonly adapter: Adapter | null,
    private readonly sizes: BucketSizes,
  ) {}

  /** Graphs made so far. */
  get compiled(): Iterable<CompiledFunction> {
    return this.graphs.values();
  }

  /** @throws UntraceableError on an op that can't be captured */
  async score(batch: Batch): Promise<BatchScore> {
    const micro = roundUpToBucket(microBatch(batch), this.sizes);
    const { model, adapter } = this;
    const variables = adapter?.variables ?? new Map<string, tf.Variable>();
    const tensors = batchTensors(micro);
    const key = shapeKey(micro);
    let graph = this.graphs.get(key);
    if (!graph) {
      graph = await CompiledFunction.compile(specsOf([...tensors, ...variables.values()]), (...inputs) => {
        const own = new Map([...variables.keys()].map((key, i) => [key, inputs[tensors.length + i]!]));
        const { losses, correct } = scoreOf(model, adapter?.forwardWith(own) ?? {}, inputs.slice(0, tensors.length));
        return [losses, correct];
      });
      this.graphs.set(key, graph);
    }
    const [losses, correct] = graph.run([...tensors, ...variables.values()]);
    // What was added to fill the shape stands behind the batch's own.
    const own = (await losses!.data<'float32'>()).slice(0, batch.numLabelTokens);
    const result = { losses: own, correct: (await correct!.data())[0]! };
    tf.dispose([...tensors, losses!, correct!]);
    return result;
  }

  dispose(): void {
    for (const graph of this.graphs.values()) graph.dispose();
    this.graphs.clear();
  }
}

/** Scores captured; where an op can't be, says so once and goes on eagerly. */
export function scoring(
  captured: CapturedScore,
  eagerly: (batch: Batch) => Promise<BatchScore>,
  warn: (code: string, message: string) => void,
): (batch: Batch) => Promise<BatchScore> {
  let captures = true;
  return async batch => {
    if (!captures) return eagerly(batch);
    try {
      return await captured.score(batch);
    } catch (error) {
      if (!(error instanceof UntraceableError)) throw error;
      warn('not_captured', `${error.message}; it is evaluated eagerly, which is slower and takes more memory`);
      captures = false;
      return eagerly(batch);
    }
  };
}

export function shapeKey({ batchSize, sequenceLength, rows, states }: MicroBatch): string {
  return `${batchSize}x${sequenceLength} ${rows.length}${states ? ' from states' : ''}`;
}
