// TensorFlow ops that tfjs has no kernel for, run on whichever tfjs-node backend is active: the real one computes, the
// tracing one records. Only for use where `hasTensorflowOps()`.
import * as tf from '@tensorflow/tfjs-core';

/** TensorFlow's DataType numbers (types.proto). */
const DTYPES = { float32: 1, int32: 3 } as const;

type Attributes = Record<string, keyof typeof DTYPES | boolean>;

/** The part of tfjs-node's backend that runs an op by its name. */
interface OpRunner {
  binding: Record<string, number>;
  executeMultipleOutputs(
    op: string,
    attributes: { name: string; type: number; value: number | boolean }[],
    inputs: tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

export function hasTensorflowOps(): boolean {
  return tf.getBackend().startsWith('tensorflow');
}

/** Runs an op; the results belong to the caller's tidy. Nothing is recorded for differentiation. */
export function tensorflowOp(op: string, attributes: Attributes, inputs: tf.Tensor[], outputs = 1): tf.Tensor[] {
  const runner = tf.backend() as unknown as OpRunner;
  const listed = Object.entries(attributes).map(([name, value]) =>
    typeof value === 'boolean'
      ? { name, type: runner.binding['TF_ATTR_BOOL']!, value }
      : { name, type: runner.binding['TF_ATTR_TYPE']!, value: DTYPES[value] },
  );
  return runner.executeMultipleOutputs(op, listed, inputs, outputs);
}
