// A matrix in several tensors of whole rows, for devices whose buffers are smaller than it: the embedding of a large vocabulary takes
// more than 2 GB, and many GPUs allow no more in one buffer.
import * as tf from '@tensorflow/tfjs-core';
import { PartedWeight } from './partedWeight.js';

export class SplitWeight extends PartedWeight {
  readonly transposed = false;
  readonly precision = 'float32';
  readonly direct = false;

  /** @param words all of `pieceRows` rows but the last; owned from now on */
  constructor(
    readonly words: readonly tf.Tensor2D[],
    readonly rows: number,
  ) {
    super();
  }

  get pieceRows(): number {
    return this.words[0]!.shape[0];
  }

  override get isTooLarge(): boolean {
    return true;
  }

  /** @throws CodedError on a device that has no room for it in one buffer */
  dense(): tf.Tensor2D {
    return tf.concat([...this.words], 0);
  }

  densePiece(start: number, size: number): tf.Tensor2D {
    const { pieceRows, words } = this;
    const parts: tf.Tensor2D[] = [];
    for (let row = start; row < start + size;) {
      const part = words[Math.floor(row / pieceRows)]!;
      const first = row % pieceRows;
      const count = Math.min(part.shape[0] - first, start + size - row);
      parts.push(count === part.shape[0] ? tf.clone(part) : tf.slice(part, [first, 0], [count, -1]));
      row += count;
    }
    return parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
  }

  roundedProduct(): never {
    throw new Error('a split weight is multiplied in float32');
  }

  dispose(): void {
    tf.dispose([...this.words]);
  }
}
