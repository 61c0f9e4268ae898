// What a run minimizes: the kinds of examples it accepts, the tensors that its loss needs in addition to the model's
// input, the loss of a forward pass, and the metrics of evaluation. An objective is a file in this folder and a line in
// registry.ts; steps (eager and captured), evaluation and the memory estimate know objectives only through this
// interface.
import type * as tf from '@tensorflow/tfjs-core';
import type { Example } from '../../../core/data/example.js';
import type { MetricInfo } from '../../../protocol/engineEvent.js';
import type { Batch } from '../../data/batch.js';
import type { CausalLm, ForwardOptions } from '../../models/causalLm.js';
import type { Bucket } from '../buckets.js';

/** A tensor of a micro-batch; its dimensions are sizes of the bucket. */
export interface BatchTensorSpec {
  dtype: 'int32' | 'float32';
  dims: readonly (keyof Bucket)[];
}

/** A forward pass, for its loss or score. */
export interface LossInput<Name extends string> {
  model: CausalLm;
  /** Hidden states after the final norm, [batch * seq, hidden]. */
  hidden: tf.Tensor2D;
  /** The objective's tensors. */
  tensors: Readonly<Record<Name, tf.Tensor>>;
  options: ForwardOptions;
  /** Called with the losses of the label tokens, [labels], in the batch's order, if the objective has such losses. */
  onTokenLosses?: ((losses: tf.Tensor1D) => void) | undefined;
}

export interface Metric<Sums> extends MetricInfo {
  of(sums: Sums): number;
}

/**
 * @typeParam Name names of its tensors
 * @typeParam Score score of a batch
 * @typeParam Sums sums over scored batches
 */
export interface Objective<Name extends string = any, Score = any, Sums = any> {
  name: string;
  title: string;
  /** Kinds of examples that it accepts. */
  examples: readonly Example['kind'][];
  /** Tensors of a micro-batch in addition to the model's input. */
  tensors: Readonly<Record<Name, BatchTensorSpec>>;
  /** The sizes of a batch without padding. */
  sizes(batch: Batch): Bucket;
  /** The values of `tensors` for a bucket that may be larger than the batch; padding must not affect the loss. */
  layOut(batch: Batch, bucket: Bucket): Record<Name, Int32Array | Float32Array>;
  /** Weight of a batch in the mean: a step's loss is the sum of its losses divided by the sum of these. */
  weight(batch: Batch): number;
  /** Sum of the losses, differentiable with respect to the trainable tensors. */
  summedLoss(input: LossInput<Name>): tf.Scalar;
  /** The tensors that evaluation reads from a forward pass. */
  score(input: LossInput<Name>): Readonly<Record<string, tf.Tensor>>;
  /** A batch's score from the values of those tensors, whose bucket may have been larger than the batch. */
  readScore(values: Readonly<Record<string, Float32Array>>, batch: Batch): Score;
  noScores(): Sums;
  /** Adds a batch's score to `sums`. */
  addScore(sums: Sums, score: Score, batch: Batch): void;
  /** The loss over all added scores; it decides which checkpoint is the best, unless the run names a metric for that. */
  loss(sums: Sums): number;
  /** Metrics of evaluation in addition to the loss. */
  metrics: readonly Metric<Sums>[];
}
