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

  roundedProduct(): never {
    throw new Error('a stored weight is multiplied in float32');
  }

  dispose(): void {}

  private matrix(values: Float32Array): tf.Tensor2D {
    const columns = this.tensor.shape[1];
    return uploaded(values, [values.length / columns, columns], 'float32') as tf.Tensor2D;
  }
}
