// Types of tfjs-node's backend and its native binding, as far as the engine uses them. The package's own types need the
// union package (@tensorflow/tfjs) and make half of this private.
import type * as tf from '@tensorflow/tfjs-core';
import { DataType } from './graph.js';

/** Constants of tensorflow/c that the addon exports and tfjs-node's kernels read. */
export const BINDING_CONSTANTS = {
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

/** A TensorFlow tensor. */
export interface TensorHandle {
  id: number;
  shape: number[];
  /** TensorFlow's DataType. */
  dtype: number;
}

export interface OpAttribute {
  name: string;
  /** One of the TF_ATTR_ constants. */
  type: number;
  value: boolean | number | string | readonly number[];
}

/** The part of the binding that kernels use. */
export interface OpBinding extends Readonly<Record<keyof typeof BINDING_CONSTANTS, number>> {
  isUsingGpuDevice(): boolean;
  /** @returns the tensor's id */
  createTensor(shape: number[], dtype: number, values: ArrayLike<number>): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): ArrayLike<number>;
  executeOp(op: string, attributes: OpAttribute[], inputIds: number[], numOutputs: number): TensorHandle[];
}

/** The addon's exports; they can run graphs too. */
export interface Addon extends OpBinding {
  readonly TF_Version: string;
  /** @returns the loaded model's id */
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  /** Names are `node:output`, separated by commas. */
  runSavedModel(id: number, inputIds: number[], inputNames: string, outputNames: string): TensorHandle[];
}

/** NodeJSKernelBackend's record of a tensor. */
export interface TensorData {
  shape: number[];
  dtype: number;
  /** Values that haven't been handed to TensorFlow yet. */
  values: tf.BackendValues | null;
  id: number;
  refCount: number;
}

/** tfjs-node's NodeJSKernelBackend. */
export interface NodeBackend<Binding extends OpBinding = OpBinding> extends tf.KernelBackend {
  binding: Binding;
  readonly isUsingGpuDevice: boolean;
  tensorMap: tf.DataStorage<TensorData>;
  getInputTensorIds(tensors: tf.TensorInfo[]): number[];
  createOutputTensor(handle: TensorHandle): tf.Tensor;
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.TensorInfo[]): tf.Tensor;
}
