// A batch as the tensors of a step: the model's input, the kept output of frozen layers if there is any, and the
// objective's tensors. They are named and described here, for buckets, graphs and the estimate. Called by every kind of
// step.
import * as tf from '@tensorflow/tfjs-core';
import type { InputSpec } from '../capture/tracingBackend.js';
import type { Batch } from '../data/batch.js';
import type { ModelInput } from '../models/architecture.js';
import type { Bucket } from './buckets.js';
import type { BatchTensorSpec, Objective } from './objectives/objective.js';

/** The tensors of a micro-batch. */
export type BatchTensors = {
  readonly input: ModelInput;
  /** The input of the lowest trained layer, [batch * seq, hidden]. */
  readonly states: tf.Tensor2D | undefined;
  /** The objective's tensors, by name. */
  readonly own: Readonly<Record<string, tf.Tensor>>;
};

const GRID = { dtype: 'int32', dims: ['batchSize', 'sequenceLength'] } as const;
const INPUT: Record<keyof ModelInput, BatchTensorSpec> = { inputIds: GRID, positionIds: GRID, segmentIds: GRID };

/** The model's input for a batch, padded on the right to `bucket`; the tensors belong to the caller. */
export function modelInput(batch: Batch, bucket: Pick<Bucket, 'batchSize' | 'sequenceLength'> = batch): ModelInput {
  const { inputIds, positionIds, segmentIds, batchSize, sequenceLength } = batch;
  const shape: [number, number] = [bucket.batchSize, bucket.sequenceLength];
  const tensor = (values: Int32Array) => {
    const padded = new Int32Array(shape[0] * shape[1]);
    return tf.tensor2d(widened(values, batchSize, sequenceLength, bucket.sequenceLength, padded), shape, 'int32');
  };
  return { inputIds: tensor(inputIds), positionIds: tensor(positionIds), segmentIds: tensor(segmentIds) };
}

/** The tensors of a batch, padded to `bucket`; they belong to the caller. */
export function batchTensors(objective: Objective, batch: Batch, bucket = objective.sizes(batch)): BatchTensors {
  const values = objective.layOut(batch, bucket);
  const own = mapValues(objective.tensors, (spec, name) => tf.tensor(values[name]!, shapeOf(spec, bucket), spec.dtype));
  return { input: modelInput(batch, bucket), states: statesTensor(batch, bucket), own };
}

/** Descriptions of the same tensors, without kept states. */
export function batchSpecs(objective: Objective, bucket: Bucket): Record<'input' | 'own', Record<string, InputSpec>> {
  const described = (spec: BatchTensorSpec): InputSpec => ({ shape: shapeOf(spec, bucket), dtype: spec.dtype });
  return { input: mapValues(INPUT, described), own: mapValues(objective.tensors, described) };
}

function statesTensor({ states, batchSize, sequenceLength }: Batch, bucket: Bucket): tf.Tensor2D | undefined {
  if (!states) return undefined;
  const width = states.length / (batchSize * sequenceLength);
  const tokens = bucket.batchSize * bucket.sequenceLength;
  const [from, to] = [sequenceLength * width, bucket.sequenceLength * width];
  const padded = widened(states, batchSize, from, to, new Float32Array(tokens * width));
  return tf.tensor2d(padded, [tokens, width]);
}

/** Copies `rows` rows of `from` values into `target`, in which rows have `to` values. */
function widened<T extends Int32Array | Float32Array>(values: T, rows: number, from: number, to: number, target: T): T {
  if (values.length !== rows * from) throw new Error(`a batch of ${rows} x ${from} values has ${values.length}`);
  for (let row = 0; row < rows; row++) target.set(values.subarray(row * from, (row + 1) * from), row * to);
  return target;
}

function shapeOf({ dims }: BatchTensorSpec, bucket: Bucket): number[] {
  return dims.map(dim => bucket[dim]);
}

function mapValues<Key extends string, T, U>(record: Readonly<Record<Key, T>>, f: (value: T, key: Key) => U) {
  const entries = Object.entries(record) as [Key, T][];
  return Object.fromEntries(entries.map(([key, value]) => [key, f(value, key)])) as Record<Key, U>;
}
