// What a run minimizes: which examples it takes, which tensors its loss needs beside the model's input, the loss of a forward
// pass, and the figures that evaluation tells. An objective is a file in this folder and a line in registry.ts; steps (eager
// and captured), evaluation and the memory estimate know objectives only through this.
import type * as tf from '@tensorflow/tfjs-core';
import type { Example } from '../../../core/data/example.js';
import type { MetricInfo } from '../../../protocol/engineEvent.js';
import type { Batch } from '../../data/batch.js';
import type { CausalLm, ForwardOptions } from '../../models/causalLm.js';
import type { Bucket } from '../buckets.js';

/** A tensor of a micro-batch, its sizes those of the bucket. */
export interface BatchTensorSpec {
  dtype: 'int32' | 'float32';
  dims: readonly (keyof Bucket)[];
}

/** A forward pass whose loss is asked for. */
export interface LossInput<Name extends string> {
  model: CausalLm;
  /** Final states, [batch * seq, hidden]. */
  hidden: tf.Tensor2D;
  /** The objective's own tensors. */
  tensors: Readonly<Record<Name, tf.Tensor>>;
  options: ForwardOptions;
}

export interface Metric<Sums> extends MetricInfo {
  of(sums: Sums): number;
}

/**
 * @typeParam Name names of its tensors
 * @typeParam Score what a scored batch gives
 * @typeParam Sums what is added up over scored batches
 */
export interface Objective<Name extends string = any, Score = any, Sums = any> {
  name: string;
  title: string;
  /** Kinds of examples that it is trained on. */
  examples: readonly Example['kind'][];
  /** What a micro-batch holds beside the model's input. */
  tensors: Readonly<Record<Name, BatchTensorSpec>>;
  /** The sizes of a batch as it is. */
  sizes(batch: Batch): Bucket;
  /** The values of `tensors` for a bucket that may be larger than the batch; what fills it up must change nothing. */
  layOut(batch: Batch, bucket: Bucket): Record<Name, Int32Array | Float32Array>;
  /** What the losses of a batch are counted by: a step's loss is the sum of its losses divided by the sum of these. */
  weight(batch: Batch): number;
  /** Sum of the losses, differentiable by the trained tensors. */
  summedLoss(input: LossInput<Name>): tf.Scalar;
  /** What evaluation reads of a forward pass. */
  score(input: LossInput<Name>): Readonly<Record<string, tf.Tensor>>;
  /** A batch's score from the values of those tensors; the bucket may have been larger than the batch. */
  readScore(values: Readonly<Record<string, Float32Array>>, batch: Batch): Score;
  noScores(): Sums;
  /** Adds a batch's score to `sums`. */
  addScore(sums: Sums, score: Score, batch: Batch): void;
  /** The loss of all that was added; it decides which checkpoint is the best. */
  loss(sums: Sums): number;
  /** Figures beside the loss. */
  metrics: readonly Metric<Sums>[];
}
