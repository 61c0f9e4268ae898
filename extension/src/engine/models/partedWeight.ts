// A frozen matrix that isn't held as a tensor: each use makes the values of the rows that it needs, and frees them.
import * as tf from '@tensorflow/tfjs-core';
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

  /** Whether it must never be made dense as a whole. */
  get isTooLarge(): boolean {
    return false;
  }

  /** These rows of the stored matrix, [indices, columns]. */
  denseRows(indices: tf.Tensor1D): tf.Tensor2D {
    const { rows, pieceRows } = this;
    let result: tf.Tensor2D | null = null;
    for (let first = 0; first < rows; first += pieceRows) {
      const count = Math.min(pieceRows, rows - first);
      const next: tf.Tensor2D = tf.tidy(() => {
        const within = tf.sub(indices, tf.scalar(first, 'int32'));
        const last = tf.scalar(count - 1, 'int32');
        const isHere = tf.logicalAnd(tf.greaterEqual(within, tf.scalar(0, 'int32')), tf.lessEqual(within, last));
        const index = tf.minimum(tf.maximum(within, tf.scalar(0, 'int32')), last);
        const found = tf.gather(this.densePiece(first, count), index);
        return result ? tf.where(tf.expandDims(isHere, 1), found, result) : found;
      });
      (result as tf.Tensor2D | null)?.dispose();
      result = next;
    }
    return result!;
  }

  /** x W of the stored matrix W, or x Wᵀ with `transposed`, operands rounded to bfloat16. Only if `direct`, or of that precision. */
  abstract roundedProduct(x: tf.Tensor2D, transposed: boolean): tf.Tensor2D;

  /** The same in float32, by a kernel that reads what is held; null where there is none. */
  directProduct(_x: tf.Tensor2D, _transposed: boolean): tf.Tensor2D | null {
    return null;
  }

  abstract dispose(): void;
}
