// TensorFlow ops that tfjs has no kernel for, run on the active tfjs-node backend: the real one computes, the tracing
// one records. Only use them if `hasTensorflowOps()`.
import * as tf from '@tensorflow/tfjs-core';
import { DataType } from './graph.js';
import { BINDING_CONSTANTS, type NodeBackend, type OpAttribute } from './tfjsNode.js';

export function hasTensorflowOps(): boolean {
  return tf.getBackend().startsWith('tensorflow');
}

/** Runs an op with one result, which belongs to the caller's tidy. Not recorded for differentiation. */
export function tensorflowOp(
  op: string,
  attributes: Record<string, 'float32' | 'int32' | boolean>,
  inputs: tf.Tensor[],
): tf.Tensor {
  const { TF_ATTR_BOOL, TF_ATTR_TYPE } = BINDING_CONSTANTS;
  const listed = Object.entries(attributes).map(([name, value]): OpAttribute =>
    typeof value === 'boolean'
      ? { name, type: TF_ATTR_BOOL, value }
      : { name, type: TF_ATTR_TYPE, value: DataType[value] },
  );
  return (tf.backend() as NodeBackend).executeSingleOutput(op, listed, inputs);
}
