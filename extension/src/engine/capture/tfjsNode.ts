// tfjs-node's backend and its native binding, typed as far as the engine uses them: once, here. The package's own types
// need its union package and keep half of this private.
import type * as tf from '@tensorflow/tfjs-core';
import { DataType } from './graph.js';

/** Numbers of tensorflow/c that the addon exports and tfjs-node's kernels read. */
export const bindingConstants = {
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
  TF_FLOAT: DataType.float32,
  TF_INT32: DataType.int32,
  TF_UINT8: DataType.uint8,
  TF_STRING: DataType.string,
  TF_COMPLEX64: 8,
  TF_INT64: DataType.int64,
  TF_BOOL: DataType.bool,
  TF_RESOURCE: 20,
} as const;

/** A tensor of TensorFlow. */
export interface TensorHandle {
  id: number;
  shape: number[];
  /** TensorFlow's DataType. */
  dtype: number;
}

export interface OpAttribute {
  name: string;
  /** One of the TF_ATTR_ numbers. */
  type: number;
  value: boolean | number | string | readonly number[];
}

/** What kernels use of the binding. */
export interface OpBinding extends Readonly<Record<keyof typeof bindingConstants, number>> {
  isUsingGpuDevice(): boolean;
  /** @returns the tensor's id */
  createTensor(shape: number[], dtype: number, values: ArrayLike<number>): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): ArrayLike<number>;
  executeOp(op: string, attributes: OpAttribute[], inputIds: number[], numOutputs: number): TensorHandle[];
}

/** The addon's exports, which also run graphs. */
export interface Addon extends OpBinding {
  readonly TF_Version: string;
  /** @returns the loaded model's id */
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  /** Names are `node:output`, with commas between them. */
  runSavedModel(id: number, inputIds: number[], inputNames: string, outputNames: string): TensorHandle[];
}

/** What NodeJSKernelBackend keeps of a tensor. */
export interface TensorData {
  shape: number[];
  dtype: number;
  /** What is yet to be handed to TensorFlow. */
  values: tf.BackendValues | null;
  id: number;
  refCount: number;
}

/** NodeJSKernelBackend. */
export interface NodeBackend<Binding extends OpBinding = OpBinding> extends tf.KernelBackend {
  binding: Binding;
  readonly isUsingGpuDevice: boolean;
  tensorMap: tf.DataStorage<TensorData>;
  getInputTensorIds(tensors: tf.TensorInfo[]): number[];
  createOutputTensor(handle: TensorHandle): tf.Tensor;
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.TensorInfo[]): tf.Tensor;
}
