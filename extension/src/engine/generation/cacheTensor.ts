// The keys and values of all layers in one tensor of a fixed size, for captured decoding steps: a graph's tensors can't
// grow. It has a place for each sequence of a batch. New rows are written into the tensor's memory (on a CPU; elsewhere
// TensorFlow copies it), so a tensor that was fed to a step must not be used again. The creator disposes it.
import * as tf from '@tensorflow/tfjs-core';
import { tensorflowOp } from '../capture/tensorflowOps.js';
import { keyValueHeadsOfAll, type Architecture, type KeyValues } from '../models/architecture.js';
import { runKernel } from '../webgpu/kernels/register.js';
import { WRITE_ROWS } from '../webgpu/kernels/writeRows.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import { KeyValueCache, type DecodingCache } from '../models/causalLm.js';

/** What needs equal heads in all layers, for the message. */
const PURPOSE = 'captured decoding';

/** Sequences and tokens that a cache tensor has room for. */
export interface CacheSize {
  rows: number;
  capacity: number;
}

/**
 * Rows [layer][keys, values][sequence][keyValueHeads][capacity] of headDim values.
 * @throws InputError if layers have different key and value heads
 */
export function cacheShape(architecture: Architecture, capacity: number, rows = 1): [number, number] {
  const { keyValueHeads, headDim } = keyValueHeadsOfAll(architecture, PURPOSE);
  return [architecture.layers.length * 2 * rows * keyValueHeads * capacity, headDim];
}

/** The content with `values` written over the rows at `indices`, int32 [count]. */
function updated(content: tf.Tensor2D, indices: tf.Tensor, values: tf.Tensor): tf.Tensor2D {
  if (isWebgpu()) return runKernel(WRITE_ROWS, { content, indices, values });
  return tensorflowOp('InplaceUpdate', { T: 'float32' }, [content, indices, values]) as tf.Tensor2D;
}

/** Writes a sequence's keys and values [layers * 2, heads, length, headDim] to its place; disposes `content`. */
export function written(content: tf.Tensor2D, size: CacheSize, place: number, own: tf.Tensor4D): tf.Tensor2D {
  const [parts, heads, length, headDim] = own.shape;
  const indices = new Int32Array(parts * heads * length);
  let next = 0;
  for (let part = 0; part < parts; part++)
    for (let head = 0; head < heads; head++) {
      const first = ((part * size.rows + place) * heads + head) * size.capacity;
      for (let i = 0; i < length; i++) indices[next++] = first + i;
    }
  const result = tf.tidy(() => updated(content, tf.tensor1d(indices, 'int32'), tf.reshape(own, [-1, headDim])));
  content.dispose();
  return result;
}

/** A copy of a sequence's first `length` keys and values, [layers * 2, heads, length, headDim]. */
export function copied(
  content: tf.Tensor2D,
  { rows, capacity }: CacheSize,
  place: number,
  { parts, length }: { parts: number; length: number },
): tf.Tensor4D {
  return tf.tidy(() => {
    const [total, headDim] = content.shape;
    const heads = total / (parts * rows * capacity);
    const places = tf.reshape(content, [parts, rows, heads, capacity, headDim]);
    const own = tf.slice(places, [0, place, 0, 0, 0], [parts, 1, heads, length, headDim]);
    return tf.squeeze(own, [1]) as tf.Tensor4D;
  });
}

/** A growing cache's keys and values as one tensor, [layers * 2, heads, length, headDim]. */
export function stacked({ layers }: KeyValueCache): tf.Tensor4D {
  return tf.concat(
    layers.flatMap(({ keys, values }) => [keys, values]),
    0,
  );
}

/** A growing cache with the first `length` of such keys and values. */
export function unstacked(rows: tf.Tensor4D, length: number): KeyValueCache {
  const cache = new KeyValueCache();
  tf.tidy(() => {
    const [parts, heads, , headDim] = rows.shape;
    for (let part = 0; part < parts; part += 2) {
      const of = (at: number) => tf.slice(rows, [at, 0, 0, 0], [1, heads, length, headDim]);
      cache.extend(part / 2, { keys: of(part), values: of(part + 1) });
    }
  });
  return cache;
}

/** The cache in a traced step. */
export class StepCache implements DecodingCache {
  readonly length = null;

  /**
   * @param content of shape `cacheShape`; after the pass it contains the tokens' own keys and values
   * @param positions int32 [rows]: of each sequence's token, prefix included
   */
  constructor(
    private readonly architecture: Architecture,
    private readonly capacity: number,
    public content: tf.Tensor2D,
    private readonly positions: tf.Tensor1D,
  ) {}

  extend(layer: number, { keys, values }: KeyValues): KeyValues {
    const { capacity } = this;
    const [rows] = this.positions.shape;
    const { keyValueHeads, headDim } = keyValueHeadsOfAll(this.architecture, PURPOSE);
    const heads = rows * keyValueHeads;
    const first = 2 * layer * heads;
    const starts = Int32Array.from({ length: 2 * heads }, (_, i) => (first + i) * capacity);
    const own = tf.reshape(tf.concat([keys, values], 0), [2 * heads, headDim]);
    const indices = tf.add(
      tf.tensor3d(starts, [2, rows, keyValueHeads], 'int32'),
      tf.reshape(this.positions, [1, rows, 1]),
    );
    this.content = updated(this.content, tf.reshape(indices, [2 * heads]), own);
    const part = (start: number): tf.Tensor4D => {
      const slice = tf.slice(this.content, [start * capacity, 0], [heads * capacity, headDim]);
      return tf.reshape(slice, [rows, keyValueHeads, capacity, headDim]);
    };
    return { keys: part(first), values: part(first + heads) };
  }
}
