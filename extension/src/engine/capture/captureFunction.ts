// A function on tensors that is captured once and then run by one call: as recorded commands on WebGPU, as a graph on TensorFlow.
import type * as tf from '@tensorflow/tfjs-core';
import { RecordedFunction } from '../webgpu/recordedFunction.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import { CompiledFunction } from './compiledFunction.js';
import type { InputSpec } from './tracingBackend.js';

/** Owns what it was captured as. */
export interface CapturedFunction {
  /** Nodes of the graph, or commands. */
  readonly nodes: number;
  readonly compileMs: number;
  /** The results belong to the caller. */
  run(inputs: readonly tf.Tensor[]): tf.Tensor[];
  dispose(): void;
}

/**
 * @param xla on TensorFlow: compile the graph's parts with XLA, if TensorFlow has it and it knows their ops
 * @throws UntraceableError on TensorFlow, on an op without a row in the table
 */
export async function captureFunction(
  inputs: readonly InputSpec[],
  f: (...inputs: tf.Tensor[]) => tf.Tensor[],
  xla = false,
): Promise<CapturedFunction> {
  return isWebgpu() ? RecordedFunction.record(inputs, f) : CompiledFunction.compile(inputs, f, xla);
}
