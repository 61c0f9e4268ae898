// The points where a PEFT method can take part in a forward pass. A method provides only the hooks it needs; the model
// (causalLm.ts) calls them and knows nothing else about methods.
import type * as tf from '@tensorflow/tfjs-core';
import type { LinearModule, SublayerKind } from './architecture.js';
import type { Weight } from './quantizedWeight.js';

export interface LinearCall {
  module: LinearModule;
  /** Input, [rows, in]. */
  x: tf.Tensor2D;
  /** The module's own output for an input, bias included; [rows, out]. */
  base(x: tf.Tensor2D): tf.Tensor2D;
  /** The module's weight in the form that the model holds. */
  weight(): Weight;
  /** The module's bias, or null. */
  bias(): tf.Tensor1D | null;
  /** Dropout, active only while training. */
  dropout(x: tf.Tensor2D, rate: number): tf.Tensor2D;
}

export interface ForwardHooks {
  /** Replaces the output of the linear modules it names. */
  linear?: ReadonlyMap<string, (call: LinearCall) => tf.Tensor2D>;
  /** Trainable embeddings before each example, for the token ids vocabSize, vocabSize + 1, ... */
  virtualTokens?: { count: number; embeddings(): tf.Tensor2D };
  /** Trainable keys and values that every token attends to, a pair per layer; each [kvHeads, count, headDim]. */
  keyValuePrefix?: { count: number; layers(): { keys: tf.Tensor3D; values: tf.Tensor3D }[] };
  /** Changes what a sublayer adds to the residual stream; [rows, hidden]. */
  sublayer?: (layer: number, kind: SublayerKind, output: tf.Tensor2D) => tf.Tensor2D;
}
