// A frozen float32 matrix that is held transposed, as [in, out]. Few rows, as in decoding, are multiplied by it faster: of an
// [out, in] matrix, TensorFlow first makes a transposed copy in each product. Held by CausalLm instead of a tensor; never trained.
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from './architecture.js';

export class TransposedWeight {
  /** @param matrix the parameter's transpose; owned from now on */
  constructor(readonly matrix: tf.Tensor2D) {}

  /** Names of the parameters that can be held so: not an embedding, of which rows are read, even if it is the head too. */
  static namesIn({ linears, parameters }: Architecture): ReadonlySet<string> {
    const stored = new Set(linears.flatMap(({ name, conv1d }) => (conv1d ? [] : `${name}.weight`)));
    return new Set(parameters.flatMap(({ name }) => (stored.has(name) ? name : [])));
  }

  /** @param parameter disposed */
  static of(parameter: tf.Tensor2D): TransposedWeight {
    const matrix = tf.transpose(parameter);
    parameter.dispose();
    return new TransposedWeight(matrix);
  }

  dispose(): void {
    this.matrix.dispose();
  }
}
