// A frozen matrix that isn't held as a tensor: each use makes the values of the rows that it needs, and frees them.
import type * as tf from '@tensorflow/tfjs-core';
import type { UsedWeights } from '../../protocol/engineConfig.js';

export abstract class PartedWeight {
  /** The tensors that it holds. */
  abstract readonly words: readonly tf.Tensor[];
  /** Stored rows. */
  abstract readonly rows: number;
  /** How many of them are in float32 at the same time in a product. */
  abstract readonly pieceRows: number;
  /** Whether the parameter is the transposed stored matrix. */
  abstract readonly transposed: boolean;
  /** Type of its products. */
  abstract readonly precision: UsedWeights['precision'];
  /** Whether what it holds is multiplied directly, so that a dense copy would gain nothing. */
  abstract readonly direct: boolean;

  /** The stored matrix in float32, [rows, columns]; belongs, like all results, to the caller's tidy. */
  abstract dense(): tf.Tensor2D;

  /** `size` rows of the stored matrix from `start` on, [size, columns]. */
  abstract densePiece(start: number, size: number): tf.Tensor2D;

  /** These rows of the stored matrix, [indices, columns]. */
  abstract denseRows(indices: tf.Tensor1D): tf.Tensor2D;

  /** x W of the stored matrix W, or x Wᵀ with `transposed`, operands rounded to bfloat16. Only if `direct`, or of that precision. */
  abstract roundedProduct(x: tf.Tensor2D, transposed: boolean): tf.Tensor2D;

  /** The same in float32, by a kernel that reads what is held; null where there is none. */
  directProduct(_x: tf.Tensor2D, _transposed: boolean): tf.Tensor2D | null {
    return null;
  }

  abstract dispose(): void;
}
