// A matrix that stays in its file: each use reads the rows that it needs. For passes that are made once over models that are never in
// memory as a whole.
import * as tf from '@tensorflow/tfjs-core';
import { piecesOf, rowPieces, type StoredTensor } from '../files/tensorSource.js';
import { PartedWeight } from './partedWeight.js';
import { uploaded } from './quantizedWeight.js';

export class StoredWeight extends PartedWeight {
  readonly transposed = false;
  readonly precision = 'float32';
  readonly direct = false;
  readonly words = [];

  constructor(private readonly tensor: StoredTensor) {
    super();
  }

  get rows(): number {
    return this.tensor.shape[0];
  }

  get pieceRows(): number {
    return rowPieces(this.rows, this.tensor.shape[1])[0].count;
  }

  /** Its values in consecutive pieces of whole rows, without a tensor. */
  pieces(): Iterable<Float32Array> {
    return piecesOf(this.tensor);
  }

  dense(): tf.Tensor2D {
    return this.matrix(this.tensor.readFloat32());
  }

  densePiece(start: number, size: number): tf.Tensor2D {
    return this.matrix(this.tensor.readRows(start, size));
  }

  denseRows(indices: tf.Tensor1D): tf.Tensor2D {
    const [rows, columns] = this.tensor.shape;
    let result = tf.zeros<tf.Rank.R2>([indices.shape[0], columns]);
    for (const { first, count } of rowPieces(rows, columns)) {
      const next = tf.tidy(() => {
        const within = tf.sub(indices, tf.scalar(first, 'int32'));
        const last = tf.scalar(count - 1, 'int32');
        const isHere = tf.logicalAnd(tf.greaterEqual(within, tf.scalar(0, 'int32')), tf.lessEqual(within, last));
        const index = tf.minimum(tf.maximum(within, tf.scalar(0, 'int32')), last);
        return tf.where(tf.expandDims(isHere, 1), tf.gather(this.densePiece(first, count), index), result);
      });
      result.dispose();
      result = next;
    }
    return result;
  }

  roundedProduct(): never {
    throw new Error('a stored weight is multiplied in float32');
  }

  dispose(): void {}

  private matrix(values: Float32Array): tf.Tensor2D {
    const columns = this.tensor.shape[1];
    return uploaded(values, [values.length / columns, columns], 'float32') as tf.Tensor2D;
  }
}
