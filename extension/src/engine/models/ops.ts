// The operations that a decoder needs beyond TensorFlow.js's own, with a hand-written gradient where that saves memory:
// with tf.customGrad only what is `save`d outlives the operation, while a chain of plain ops keeps every intermediate
// until the step ends. For the same reason a gradient may only use saved tensors, never one that it closes over. Pure
// functions; results belong to the caller's tidy.
import * as tf from '@tensorflow/tfjs-core';
import { hasTensorflowOps, tensorflowOp } from '../capture/tensorflowOps.js';
import { after } from '../capture/ordering.js';
import { ATTENTION, ATTENTION_GRADIENT } from '../webgpu/kernels/attention.js';
import { summedRows } from '../webgpu/kernels/gatherGradient.js';
import { LAYER_NORM, RMS_NORM } from '../webgpu/kernels/norms.js';
import { ROTATION, type RotationAttributes } from '../webgpu/kernels/rotation.js';
import { runKernel } from '../webgpu/kernels/register.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import { PartedWeight } from './partedWeight.js';
import type { Weight } from './quantizedWeight.js';
import { TransposedWeight } from './transposedWeight.js';

/** tf.customGrad that keeps the types of inputs and output. */
export function withGradient<Inputs extends tf.Tensor[], Output extends tf.Tensor>(
  inputs: [...Inputs],
  f: (
    save: tf.GradSaveFunc,
    ...inputs: Inputs
  ) => { value: Output; gradFunc: (dy: Output, saved: tf.Tensor[]) => tf.Tensor | tf.Tensor[] },
): Output {
  const wrapped = (...args: unknown[]) => {
    const { value, gradFunc } = f(args.at(-1) as tf.GradSaveFunc, ...(args.slice(0, -1) as Inputs));
    // tfjs frees a forward pass's intermediates, but not a gradient's. What a gradient recomputes waits for `dy`;
    // otherwise TensorFlow's optimizer finds it equal to what the forward pass computed and keeps that in memory
    // instead.
    return { value, gradFunc: (dy: Output, saved: tf.Tensor[]) => after(dy, () => tf.tidy(() => gradFunc(dy, saved))) };
  };
  return tf.customGrad(wrapped as unknown as Parameters<typeof tf.customGrad>[0])(...inputs) as Output;
}

/** Computes `f` without recording it for differentiation, like PyTorch's `.detach()`. */
export function stopGradient<T extends tf.Tensor>(f: () => T): T {
  return withGradient<[tf.Scalar], T>([tf.scalar(0)], () => ({ value: f(), gradFunc: () => tf.scalar(0) }));
}

/**
 * The WebAssembly backend's matMul is 17 times slower with a transpose flag, so operands are transposed in memory
 * first; TensorFlow needs no copy.
 */
function product(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor {
  if (tf.getBackend() !== 'wasm' || !(transposeA || transposeB)) return tf.matMul(a, b, transposeA, transposeB);
  const swapped = (x: tf.Tensor) =>
    tf.transpose(x, [...x.shape.keys()].with(x.rank - 2, x.rank - 1).with(x.rank - 1, x.rank - 2));
  return tf.matMul(transposeA ? swapped(a) : a, transposeB ? swapped(b) : b);
}

/** a bᵀ over the last two dimensions. */
export function matMulTransposed<T extends tf.Tensor>(a: T, b: tf.Tensor): T {
  return product(a, b, false, true) as T;
}

/**
 * x Wᵀ (x W with `conv1d`) for a weight as Transformers stores it.
 * @param x [rows, in]
 * @param weight [out, in], or [in, out] with `conv1d`; no gradient reaches a quantized one
 * @returns [rows, out]
 */
export function linear(x: tf.Tensor2D, weight: Weight, conv1d = false): tf.Tensor2D {
  if (weight instanceof TransposedWeight) return linear(x, weight.matrix, !conv1d);
  if (!(weight instanceof PartedWeight))
    return x.shape[0] === 1
      ? rowLinear(x, weight as tf.Tensor2D, conv1d)
      : (product(x, weight, false, !conv1d) as tf.Tensor2D);
  // Dequantized once x is computed, and again once dy is: the dense matrix never outlives its product.
  const transposed = conv1d === weight.transposed;
  return withGradient([x], (_save, x) => ({
    value: after(x, () => times(x, weight, transposed)),
    gradFunc: dy => times(dy, weight, !transposed),
  }));
}

/** x W of the stored matrix W, or x Wᵀ with `transposed`, in the precision of its layout. */
function times(x: tf.Tensor2D, weight: PartedWeight, transposed: boolean): tf.Tensor2D {
  return weight.precision === 'bfloat16' ? weight.roundedProduct(x, transposed) : pieceProduct(x, weight, transposed);
}

/**
 * x W of the stored matrix W, or x Wᵀ with `transposed`, in float32. A piece of W is dequantized only after the
 * previous one has been multiplied. For hand-written gradients: nothing is recorded for differentiation.
 */
export function pieceProduct(x: tf.Tensor2D, weight: PartedWeight, transposed: boolean): tf.Tensor2D {
  const direct = weight.directProduct(x, transposed);
  if (direct) return direct;
  const { rows, pieceRows } = weight;
  if (rows <= pieceRows) return rowProduct(x, weight.dense(), transposed);
  const products: tf.Tensor2D[] = [];
  let sum: tf.Tensor2D | null = null;
  for (let start = 0; start < rows; start += pieceRows) {
    const size = Math.min(pieceRows, rows - start);
    if (transposed)
      products.push(
        after(products.at(-1) ?? x, () => tf.tidy(() => rowProduct(x, weight.densePiece(start, size), true))),
      );
    else
      sum = after(sum ?? x, () =>
        tf.tidy(() => {
          const part = rowProduct(tf.slice(x, [0, start], [-1, size]), weight.densePiece(start, size), false);
          return sum ? tf.add(sum, part) : part;
        }),
      );
  }
  return sum ?? (tf.concat(products, 1) as tf.Tensor2D);
}

function rowLinear(x: tf.Tensor2D, weight: tf.Tensor2D, conv1d: boolean): tf.Tensor2D {
  return withGradient([x, weight], (save, x, weight) => {
    save([x, weight]);
    return {
      value: rowProduct(x, weight, !conv1d),
      gradFunc: (dy, [x, weight]) => [
        product(dy, weight!, false, conv1d),
        conv1d ? product(x!, dy, true, false) : product(dy, x!, true, false),
      ],
    };
  });
}

/**
 * A product that isn't recorded for differentiation. With a single row, as in decoding, only the speed of reading the
 * weight matters: TensorFlow runs this op with Eigen, but MatMul with oneDNN, which reads the weight at half the speed.
 */
function rowProduct(x: tf.Tensor2D, weight: tf.Tensor2D, transposed: boolean): tf.Tensor2D {
  if (x.shape[0] > 1 || !hasTensorflowOps()) return product(x, weight, false, transposed) as tf.Tensor2D;
  const attributes = { Ta: 'float32', Tb: 'float32', Tout: 'float32', adj_x: false, adj_y: transposed } as const;
  return tensorflowOp('BatchMatMulV3', attributes, [x, weight]) as tf.Tensor2D;
}

/** x / sqrt(mean(x²) + eps) * weight over the last dimension (RMSNorm, arXiv:1910.07467). */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor, epsilon: number): T {
  if (isWebgpu()) return runKernel<tf.Tensor>(RMS_NORM, { x, weight }, { epsilon }) as T;
  const normalized = withGradient([x], (save, x) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
    save([x, inverse]);
    return {
      value: tf.mul(x, inverse) as T,
      gradFunc: (dy, [x, inverse]) => {
        const unit = tf.mul(x, inverse);
        return tf.mul(tf.sub(dy, tf.mul(unit, tf.mean(tf.mul(dy, unit), -1, true))), inverse);
      },
    };
  });
  return tf.mul(normalized, weight);
}

/** (x - mean) / sqrt(var + eps) * weight + bias over the last dimension (LayerNorm, arXiv:1607.06450). */
export function layerNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor, bias: tf.Tensor, epsilon: number): T {
  if (isWebgpu()) return runKernel<tf.Tensor>(LAYER_NORM, { x, weight, bias }, { epsilon }) as T;
  const normalized = withGradient([x], (save, x) => {
    const centered = tf.sub(x, tf.mean(x, -1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), epsilon));
    const unit = tf.mul(centered, inverse) as T;
    save([unit, inverse]);
    return {
      value: unit,
      gradFunc: (dy, [unit, inverse]) => {
        const inner = tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), tf.mul(unit, tf.mean(tf.mul(dy, unit), -1, true)));
        return tf.mul(inner, inverse);
      },
    };
  });
  return tf.add(tf.mul(normalized, weight), bias);
}

/** x rotated by the angles, or by their negative with `sign` -1. sin is equal in both halves, so either is the other's transpose. */
function rotated(x: tf.Tensor4D, cos: tf.Tensor, sin: tf.Tensor, sign: 1 | -1): tf.Tensor4D {
  if (isWebgpu()) return runKernel(ROTATION, { x, cos, sin }, { sign } satisfies RotationAttributes);
  return tf.add(tf.mul(x, cos), tf.mul(rotateHalf(x, sign), sin));
}

/** Rotates the two halves of the last dimension: [a, b] -> [-b, a], or [b, -a] with `sign` -1. */
function rotateHalf(x: tf.Tensor4D, sign: 1 | -1): tf.Tensor4D {
  const half = x.shape[3] / 2;
  const first = tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, half]);
  const second = tf.slice(x, [0, 0, 0, half], [-1, -1, -1, half]);
  return tf.concat(sign > 0 ? [tf.neg(second), first] : [second, tf.neg(first)], 3);
}

/**
 * Rotary position embedding (arXiv:2104.09864) in Transformers' half-split layout.
 * @param x [batch, seq, heads, headDim]
 * @param cos [batch, seq, 1, headDim], like `sin`
 */
export function rotate(x: tf.Tensor4D, { cos, sin }: { cos: tf.Tensor4D; sin: tf.Tensor4D }): tf.Tensor4D {
  return withGradient([x], (save, x) => {
    save([cos, sin]);
    return {
      value: rotated(x, cos, sin, 1),
      gradFunc: (dy, [cos, sin]) => rotated(dy, cos!, sin!, -1),
    };
  });
}

/** Minimum queries per block of attention, and maximum blocks: each block is a few dozen nodes of a captured step. */
const MIN_BLOCK_QUERIES = 128;
const MAX_BLOCKS = 4;

/** Queries from `start` on, which attend to the first `seen` keys only. */
interface QueryBlock {
  start: number;
  size: number;
  seen: number;
}

/** Slices attention's tensors into blocks of queries, and joins results again. */
class AttentionBlocks {
  readonly blocks: readonly QueryBlock[];
  private readonly groups: number;

  constructor(
    private readonly shape: tf.Tensor4D['shape'],
    private readonly kvHeads: number,
    private readonly keys: number,
    private readonly scale: number,
  ) {
    const [, heads, seq] = shape;
    this.groups = heads / kvHeads;
    const blockSize = Math.max(MIN_BLOCK_QUERIES, Math.ceil(seq / MAX_BLOCKS));
    this.blocks = Array.from({ length: Math.ceil(seq / blockSize) }, (_, i) => {
      const start = i * blockSize;
      const size = Math.min(blockSize, seq - start);
      return { start, size, seen: keys - seq + start + size };
    });
  }

  private get whole(): boolean {
    return this.blocks.length === 1;
  }

  /** Queries of a block, the heads of a group concatenated: [batch, kvHeads, groups * size, headDim]. */
  queries(x: tf.Tensor, { start, size }: QueryBlock): tf.Tensor4D {
    const [batch, , , headDim] = this.shape;
    const part = this.whole ? x : tf.slice(x, [0, 0, start, 0], [-1, -1, size, -1]);
    return tf.reshape(part, [batch, this.kvHeads, this.groups * size, headDim]);
  }

  seenKeys(x: tf.Tensor, { seen }: QueryBlock): tf.Tensor4D {
    return (seen === this.keys ? x : tf.slice(x, [0, 0, 0, 0], [-1, -1, seen, -1])) as tf.Tensor4D;
  }

  probabilities(query: tf.Tensor4D, key: tf.Tensor4D, bias: tf.Tensor, { start, size, seen }: QueryBlock): tf.Tensor4D {
    const [batch] = this.shape;
    const { kvHeads, groups, scale } = this;
    const scores = tf.reshape(product(tf.mul(query, scale), key, false, true), [batch, kvHeads, groups, size, seen]);
    const partOfBias = this.whole ? bias : tf.slice(bias, [0, 0, 0, start, 0], [-1, -1, -1, size, seen]);
    return tf.reshape(tf.softmax(tf.add(scores, partOfBias)), [batch, kvHeads, groups * size, seen]);
  }

  /** A block's output, or gradient of its queries, as [batch, heads, size, headDim]. */
  ungrouped(x: tf.Tensor, { size }: QueryBlock): tf.Tensor4D {
    const [batch, heads, , headDim] = this.shape;
    return tf.reshape(x, [batch, heads, size, headDim]);
  }

  joined(parts: tf.Tensor4D[]): tf.Tensor4D {
    return this.whole ? parts[0]! : tf.concat(parts, 2);
  }

  /** Gradients of the keys that a block reads, with zeros for the others. */
  padded(x: tf.Tensor4D, { seen }: QueryBlock): tf.Tensor4D {
    if (seen === this.keys) return x;
    return tf.pad(x, [
      [0, 0],
      [0, 0],
      [0, this.keys - seen],
      [0, 0],
    ]);
  }
}

/**
 * softmax(scale q kᵀ + bias) v with grouped key/value heads, in blocks of queries that skip the keys after
 * them. Probabilities are recomputed for the gradient (as in FlashAttention, arXiv:2205.14135), so that no [seq, keys]
 * matrix outlives its block, unless they are small enough to be kept.
 * @param q [batch, heads, seq, headDim]
 * @param k [batch, kvHeads, keys, headDim], like `v`; the last `seq` keys are the queries' own
 * @param bias [batch, 1, 1, seq, keys], 0 for visible keys and a large negative number for masked ones; later keys must
 *   be masked
 * @param scale of the scores
 * @param keepsProbabilities keep the probabilities for the gradient instead; not on WebGPU
 * @returns [batch, heads, seq, headDim]
 */
export function attention(
  q: tf.Tensor4D,
  k: tf.Tensor4D,
  v: tf.Tensor4D,
  bias: tf.Tensor,
  scale: number,
  keepsProbabilities = false,
): tf.Tensor4D {
  if (isWebgpu()) return fusedAttention(q, k, v, bias, scale);
  const parts = new AttentionBlocks(q.shape, k.shape[1], k.shape[2], scale);
  const { blocks } = parts;
  return withGradient([q, k, v], (save, q, k, v) => {
    const kept: tf.Tensor4D[] = [];
    const outputs = blocks.map(block => {
      const p = parts.probabilities(parts.queries(q, block), parts.seenKeys(k, block), bias, block);
      if (keepsProbabilities) kept.push(p);
      return parts.ungrouped(tf.matMul(p, parts.seenKeys(v, block)), block);
    });
    save([q, k, v, bias, ...kept]);
    return {
      value: parts.joined(outputs),
      gradFunc: (dy, [q, k, v, bias, ...kept]) => {
        const dQ: tf.Tensor4D[] = [];
        let dK: tf.Tensor4D | null = null;
        let dV: tf.Tensor4D | null = null;
        for (const [i, block] of blocks.entries()) {
          const [dQuery, dKey, dValue] = after(dQ.at(-1) ?? dy, () =>
            tf.tidy(() => {
              const query = parts.queries(q!, block);
              const [key, value] = [parts.seenKeys(k!, block), parts.seenKeys(v!, block)];
              const p = (kept[i] as tf.Tensor4D | undefined) ?? parts.probabilities(query, key, bias!, block);
              const dOutput = parts.queries(dy, block);
              const dP = product(dOutput, value, false, true);
              const dScores = tf.mul(p, tf.sub(dP, tf.sum(tf.mul(dP, p), -1, true)));
              return [
                parts.ungrouped(tf.mul(tf.matMul(dScores, key), scale), block),
                parts.padded(tf.mul(product(dScores, query, true, false), scale) as tf.Tensor4D, block),
                parts.padded(product(p, dOutput, true, false) as tf.Tensor4D, block),
              ];
            }),
          ) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
          dQ.push(dQuery);
          dK = dK ? tf.add(dK, dKey) : dKey;
          dV = dV ? tf.add(dV, dValue) : dValue;
        }
        return [parts.joined(dQ), dK!, dV!];
      },
    };
  });
}

/** The same on WebGPU, where one kernel computes it without the probabilities in memory. */
function fusedAttention(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, bias: tf.Tensor, scale: number): tf.Tensor4D {
  return withGradient([q, k, v], (save, q, k, v) => {
    const [value, logSums] = runKernel<tf.Tensor[]>(ATTENTION, { q, k, v, bias }, { scale });
    save([q, k, v, bias, value!, logSums!]);
    return {
      value: value as tf.Tensor4D,
      gradFunc: (dy, [q, k, v, bias, value, logSums]) =>
        runKernel<tf.Tensor[]>(ATTENTION_GRADIENT, { q, k, v, bias, value, logSums, dy }, { scale }),
    };
  });
}

/**
 * Rows of a table. Unlike tf.gather's, its gradient is a scatter, which every backend has.
 * @param table [count, width]; no gradient reaches a quantized one
 * @param indices int32 [rows]
 * @returns [rows, width]
 */
export function gatherRows(table: tf.Tensor2D | PartedWeight, indices: tf.Tensor1D): tf.Tensor2D {
  if (table instanceof PartedWeight) return table.denseRows(indices);
  const shape = table.shape;
  return withGradient([table], (save, table) => {
    save([indices]);
    return {
      value: tf.gather(table, indices) as tf.Tensor2D,
      gradFunc: (dy, [indices]) =>
        isWebgpu() ? summedRows(indices!, dy, shape) : tf.scatterND(tf.reshape(indices!, [-1, 1]), dy, shape),
    };
  });
}
