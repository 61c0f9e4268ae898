// The keys and values of all layers in one tensor of a fixed size, for captured decoding steps: a graph's tensors can't
// grow. New rows are written into the tensor's memory (on a CPU; elsewhere TensorFlow copies it), so a tensor that was
// fed to a step must not be used again. The creator disposes it.
import * as tf from '@tensorflow/tfjs-core';
import { tensorflowOp } from '../capture/tensorflowOps.js';
import { keyValueHeadsOfAll, type Architecture, type KeyValues } from '../models/architecture.js';
import type { DecodingCache, KeyValueCache } from '../models/causalLm.js';

/** What needs equal heads in all layers, for the message. */
const PURPOSE = 'captured decoding';

/**
 * Rows [layer][keys, values][keyValueHeads][capacity] of headDim values.
 * @throws InputError if layers have different key and value heads
 */
export function cacheShape(architecture: Architecture, capacity: number): [number, number] {
  const { keyValueHeads, headDim } = keyValueHeadsOfAll(architecture, PURPOSE);
  return [architecture.layers.length * 2 * keyValueHeads * capacity, headDim];
}

/** A cache's content, padded with zeros to `capacity` tokens. */
export function withCapacity({ layers, length }: KeyValueCache, capacity: number): tf.Tensor2D {
  return tf.tidy(() => {
    const heads = layers.flatMap(({ keys, values }) => [keys, values]).map(x => tf.squeeze(x, [0]) as tf.Tensor3D);
    return rows(tf.concat(heads, 0), capacity - length);
  });
}

/** The same with a larger capacity. */
export function grown(cache: tf.Tensor2D, capacity: number, larger: number): tf.Tensor2D {
  return tf.tidy(() => rows(tf.reshape(cache, [-1, capacity, cache.shape[1]]), larger - capacity));
}

/** [heads, length, headDim], with `room` rows of zeros after each head, as rows. */
function rows(heads: tf.Tensor3D, room: number): tf.Tensor2D {
  const padded = tf.pad(heads, [
    [0, 0],
    [0, room],
    [0, 0],
  ]);
  return tf.reshape(padded, [-1, heads.shape[2]]);
}

/** The cache in a traced step. */
export class StepCache implements DecodingCache {
  readonly length = null;

  /**
   * @param content of shape `cacheShape`; after the pass it contains the token's own keys and values
   * @param position int32 [1]: the token's position, prefix included
   */
  constructor(
    private readonly architecture: Architecture,
    private readonly capacity: number,
    public content: tf.Tensor2D,
    private readonly position: tf.Tensor1D,
  ) {}

  extend(layer: number, { keys, values }: KeyValues): KeyValues {
    const { capacity } = this;
    const { keyValueHeads: heads, headDim } = keyValueHeadsOfAll(this.architecture, PURPOSE);
    const first = 2 * layer * heads;
    const starts = Int32Array.from({ length: 2 * heads }, (_, i) => (first + i) * capacity);
    const own = tf.reshape(tf.concat([keys, values], 1), [2 * heads, headDim]);
    const indices = tf.add(tf.tensor1d(starts, 'int32'), this.position);
    const inputs = [this.content, indices, own];
    this.content = tensorflowOp('InplaceUpdate', { T: 'float32' }, inputs) as tf.Tensor2D;
    const part = (start: number): tf.Tensor4D => {
      const slice = tf.slice(this.content, [start * capacity, 0], [heads * capacity, headDim]);
      return tf.reshape(slice, [1, heads, capacity, headDim]);
    };
    return { keys: part(first), values: part(first + heads) };
  }
}
