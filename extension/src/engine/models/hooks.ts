// Where a PEFT method can take part in a forward pass. A method gives only the hooks it needs; the model calls them and
// knows nothing else of any method (engine/models/causalLm.ts).
import type * as tf from '@tensorflow/tfjs-core';
import type { LinearModule, SublayerKind } from './architecture.js';
import type { Weight } from './quantizedWeight.js';

export interface LinearCall {
  module: LinearModule;
  /** Input, [rows, in]. */
  x: tf.Tensor2D;
  /** The module's own output for an input, bias included; [rows, out]. */
  base(x: tf.Tensor2D): tf.Tensor2D;
  /** The module's weight as the model holds it. */
  weight(): Weight;
  /** The module's bias, or null. */
  bias(): tf.Tensor1D | null;
  /** Dropout that is active while training only. */
  dropout(x: tf.Tensor2D, rate: number): tf.Tensor2D;
}

export interface ForwardHooks {
  /** Stands in for the output of the linear modules it names. */
  linear?: ReadonlyMap<string, (call: LinearCall) => tf.Tensor2D>;
  /** Trainable embeddings put before each example, as the token ids vocabSize, vocabSize + 1, ... */
  virtualTokens?: { count: number; embeddings(): tf.Tensor2D };
  /** Trainable keys and values that every token sees, a pair a layer; each [kvHeads, count, headDim]. */
  keyValuePrefix?: { count: number; layers(): { keys: tf.Tensor3D; values: tf.Tensor3D }[] };
  /** Changes what a sublayer adds to the residual stream; [rows, hidden]. */
  sublayer?: (layer: number, kind: SublayerKind, output: tf.Tensor2D) => tf.Tensor2D;
}
