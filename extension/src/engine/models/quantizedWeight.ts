// A frozen matrix that is held quantized: each use dequantizes it again, within the step, and frees the dense copy.
// Held by CausalLm instead of a tensor; never trained, never written to a file.
import * as tf from '@tensorflow/tfjs-core';
import type { UsedWeights } from '../../protocol/engineConfig.js';
import {
  BLOCK_PRODUCT,
  DEQUANTIZE_BLOCKS,
  type BlockProductAttributes,
  type DequantizeAttributes,
} from '../capture/blockKernels.js';
import { after } from '../capture/ordering.js';
import { blockShapes, type BlockFormatName, type WeightBlocks } from '../files/weightBlocks.js';
import { BLOCK_MAT_MUL, type BlockMatMulAttributes } from '../webgpu/kernels/product.js';
import { largestTensorBytes } from '../webgpu/gpuMemory.js';
import { isWebgpu } from '../webgpu/tfjsWebgpu.js';
import { PartedWeight } from './partedWeight.js';
import { TransposedWeight } from './transposedWeight.js';

/** A base parameter in the form that the model holds. */
export type Weight = tf.Tensor | PartedWeight | TransposedWeight;

/** 19 MB of SmolLM2-135M's head instead of 113 MB. */
const PIECE_ROWS = 8192;

export interface WeightLayout {
  format: BlockFormatName;
  /** Stored rows and columns. */
  shape: readonly [number, number];
  /** Type of its products. */
  precision: UsedWeights['precision'];
  /** Whether the parameter is the transposed stored matrix (GPT-2's Conv1D from a GGUF file). */
  transposed: boolean;
}

export class QuantizedWeight extends PartedWeight {
  readonly pieceRows = PIECE_ROWS;

  /** @param words codes, scales, minima in the shapes of `blockShapes`; owned from now on */
  constructor(
    private readonly layout: WeightLayout,
    readonly words: readonly tf.Tensor[],
  ) {
    super();
  }

  /** Copies the blocks into the backend's memory. */
  static of(blocks: WeightBlocks, layout: WeightLayout): QuantizedWeight {
    const { shapes } = blocks;
    const arrays = [blocks.codes, ...blocks.parts];
    const words = [shapes.codes, ...shapes.parts].map((size, i) => uploaded(arrays[i]!, size, 'int32'));
    return new QuantizedWeight(layout, words);
  }

  /** Shapes of `words`, all int32, without the matrix. */
  static wordShapes({ format, shape }: WeightLayout): number[][] {
    const { codes, parts } = blockShapes(format, shape);
    return [codes, ...parts];
  }

  get transposed(): boolean {
    return this.layout.transposed;
  }

  get rows(): number {
    return this.layout.shape[0];
  }

  get direct(): boolean {
    return this.layout.format === 'bfloat16' && this.layout.precision === 'bfloat16';
  }

  get precision(): WeightLayout['precision'] {
    return this.layout.precision;
  }

  override get isTooLarge(): boolean {
    const [rows, columns] = this.layout.shape;
    return !this.transposed && 4 * rows * columns > largestTensorBytes();
  }

  roundedProduct(x: tf.Tensor2D, transposed: boolean): tf.Tensor2D {
    const { format, shape } = this.layout;
    const attributes: BlockProductAttributes = { format, columns: shape[1], transposed };
    return run(BLOCK_PRODUCT, { x, ...named(this.words) }, attributes);
  }

  override directProduct(x: tf.Tensor2D, transposed: boolean): tf.Tensor2D | null {
    if (!isWebgpu()) return null;
    const { format, shape } = this.layout;
    const attributes: BlockMatMulAttributes = { format, columns: shape[1], transposed };
    return run(BLOCK_MAT_MUL, { x, ...named(this.words) }, attributes);
  }

  dense(): tf.Tensor2D {
    return this.dequantized(this.words);
  }

  densePiece(start: number, size: number): tf.Tensor2D {
    // TensorFlow doesn't copy the words.
    return this.dequantized(this.words.map(words => tf.slice(words, start, size)));
  }

  override denseRows(indices: tf.Tensor1D): tf.Tensor2D {
    return this.dequantized(this.words.map(words => tf.gather(words, indices)));
  }

  private dequantized(words: readonly tf.Tensor[]): tf.Tensor2D {
    const { format, shape } = this.layout;
    const attributes: DequantizeAttributes = { format, columns: shape[1] };
    return run(DEQUANTIZE_BLOCKS, named(words), attributes);
  }

  dispose(): void {
    tf.dispose([...this.words]);
  }
}

/** Words by the kernels' names. */
function named([codes, scales, minima]: readonly tf.Tensor[]): Record<string, tf.Tensor> {
  return { codes: codes!, ...(scales && { scales }), ...(minima && { minima }) };
}

function run(kernel: string, inputs: Record<string, tf.Tensor>, attributes: object): tf.Tensor2D {
  return tf.engine().runKernel(kernel, inputs, attributes as tf.NamedAttrMap);
}

/** The parameter as a tensor. In a captured step, a copy of another form is made only after `before` is computed. */
export function denseOf<T extends tf.Tensor = tf.Tensor>(weight: Weight, before?: tf.Tensor): T {
  if (weight instanceof tf.Tensor) return weight as T;
  const make = () => {
    if (weight instanceof TransposedWeight) return tf.transpose(weight.matrix);
    return weight.transposed ? tf.transpose(weight.dense()) : weight.dense();
  };
  return (before ? after(before, make) : make()) as tf.Tensor as T;
}

/**
 * A tensor whose values are in the backend's memory: tfjs-node otherwise keeps the JavaScript copy until the first use.
 */
export function uploaded(values: Float32Array | Int32Array, shape: number[], dtype: 'float32' | 'int32'): tf.Tensor {
  return tf.tidy(() => tf.reshape(tf.tensor(values, shape, dtype), shape));
}
