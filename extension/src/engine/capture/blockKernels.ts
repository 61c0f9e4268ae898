// The kernels behind models/quantizedWeight.ts: dequantization to float32 and products in bfloat16, built from
// TensorFlow ops so that they can be traced like any other. Some intermediate types don't exist in tfjs (int8, float16,
// bfloat16), so ops are chained by the binding's tensor ids. The cheapest variant measured
// (docs/measurements/baseWeights.md): codes are unpacked as bytes, where bit operations are cheap, and widened to four
// bytes only then; a table look-up takes ten times as long.
import * as tf from '@tensorflow/tfjs-core';
import { DataType, typeNumber } from './graph.js';
import { BINDING_CONSTANTS, type NodeBackend, type TensorHandle } from './tfjsNode.js';
import { BLOCK_FORMATS, type BlockFormatName } from '../files/weightBlocks.js';

export const DEQUANTIZE_BLOCKS = 'DequantizeBlocks';

export interface DequantizeInputs {
  /** int32, of the shapes of `blockShapes`, with any number of rows. */
  codes: tf.Tensor3D;
  scales?: tf.Tensor2D;
  minima?: tf.Tensor2D;
}

export interface DequantizeAttributes {
  format: BlockFormatName;
  columns: number;
}

export const BLOCK_PRODUCT = 'BlockProduct';

export interface BlockProductInputs extends DequantizeInputs {
  /** float32 */
  x: tf.Tensor2D;
}

export interface BlockProductAttributes extends DequantizeAttributes {
  /** Whether the matrix is transposed before the product. */
  transposed: boolean;
}

/** A chain of ops. Intermediate tensors are freed at the end. */
class Chain {
  private readonly made: number[] = [];

  constructor(private readonly backend: NodeBackend) {}

  input(tensor: tf.TensorInfo): TensorHandle {
    const [id] = this.backend.getInputTensorIds([tensor]);
    return { id: id!, shape: tensor.shape, dtype: typeNumber(tensor.dtype) };
  }

  run(
    op: string,
    inputs: TensorHandle[],
    types: Record<string, number>,
    { ints = {}, bools = {} }: { ints?: Record<string, number>; bools?: Record<string, boolean> } = {},
  ): TensorHandle {
    const { TF_ATTR_TYPE, TF_ATTR_INT, TF_ATTR_BOOL } = BINDING_CONSTANTS;
    const attributes = [
      ...Object.entries(types).map(([name, value]) => ({ name, type: TF_ATTR_TYPE, value })),
      ...Object.entries(ints).map(([name, value]) => ({ name, type: TF_ATTR_INT, value })),
      ...Object.entries(bools).map(([name, value]) => ({ name, type: TF_ATTR_BOOL, value })),
    ];
    const ids = inputs.map(({ id }) => id);
    const [result] = this.backend.binding.executeOp(op, attributes, ids, 1);
    this.made.push(result!.id);
    return result!;
  }

  constant(values: Int32Array | Uint8Array, shape: number[]): TensorHandle {
    const dtype = values instanceof Int32Array ? DataType.int32 : DataType.uint8;
    const id = this.backend.binding.createTensor(shape, dtype, values);
    this.made.push(id);
    return { id, shape, dtype };
  }

  bitcast(x: TensorHandle, type: number): TensorHandle {
    return this.run('Bitcast', [x], { T: x.dtype, type });
  }

  cast(x: TensorHandle, DstT: number): TensorHandle {
    return this.run('Cast', [x], { SrcT: x.dtype, DstT });
  }

  binary(op: string, a: TensorHandle, b: TensorHandle): TensorHandle {
    return this.run(op, [a, b], { T: a.dtype });
  }

  reshape(x: TensorHandle, shape: number[]): TensorHandle {
    const to = this.constant(Int32Array.from(shape), [shape.length]);
    return this.run('Reshape', [x, to], { T: x.dtype, Tshape: DataType.int32 });
  }

  /** The first `columns` entries of the last dimension. */
  cut(x: TensorHandle, columns: number): TensorHandle {
    if (x.shape.at(-1) === columns) return x;
    const zeros = x.shape.map(() => 0);
    const begin = this.constant(Int32Array.from(zeros), [zeros.length]);
    const size = this.constant(Int32Array.from(x.shape.with(-1, columns)), [zeros.length]);
    return this.run('Slice', [x, begin, size], { T: x.dtype, Index: DataType.int32 });
  }

  concat(a: TensorHandle, b: TensorHandle, axis: number): TensorHandle {
    const at = this.constant(Int32Array.of(axis), []);
    return this.run('ConcatV2', [a, b, at], { T: a.dtype, Tidx: DataType.int32 }, { ints: { N: 2 } });
  }

  /** The result as a tfjs tensor; frees everything else. */
  end(result: TensorHandle): tf.TensorInfo {
    for (const id of this.made) if (id !== result.id) this.backend.binding.deleteTensor(id);
    return this.backend.createOutputTensor(result);
  }
}

/** Codes as float32, [rows, units, unit]. */
function codeValues(chain: Chain, format: BlockFormatName, words: TensorHandle): TensorHandle {
  const [rows, units] = words.shape as [number, number];
  const whole = (x: TensorHandle) =>
    chain.reshape(chain.cast(x, DataType.float32), [rows, units, BLOCK_FORMATS[format].unit]);
  if (format === 'bfloat16') return whole(chain.bitcast(words, DataType.bfloat16));
  if (format === 'int8') return whole(chain.bitcast(words, DataType.int8));
  if (format === 'int4_minimum') {
    const bytes = chain.bitcast(words, DataType.uint8);
    const low = chain.binary('BitwiseAnd', bytes, chain.constant(Uint8Array.of(15), []));
    return whole(chain.concat(low, chain.binary('RightShift', bytes, chain.constant(Uint8Array.of(4), [])), 2));
  }
  const bytes = chain.bitcast(words, DataType.int8);
  const four = chain.cast(chain.constant(Uint8Array.of(4), []), DataType.int8);
  // A right shift of int8 keeps the sign.
  const low = chain.binary('RightShift', chain.binary('LeftShift', bytes, four), four);
  return whole(chain.concat(low, chain.binary('RightShift', bytes, four), 2));
}

/**
 * float16 numbers as float32, [rows, units, 1]. They are reshaped as integers: TensorFlow would move a reshape after
 * the cast to before it, and then warn on stderr about float16 on CPUs that can't multiply it.
 */
function numberValues(chain: Chain, words: TensorHandle, units: number): TensorHandle {
  const [rows, count] = words.shape as [number, number];
  const bits = chain.bitcast(words, DataType.int16);
  const kept = units === 2 * count ? bits : chain.cut(chain.reshape(bits, [rows, 2 * count]), units);
  const column = chain.reshape(kept, [rows, units, 1]);
  return chain.cast(chain.bitcast(column, DataType.float16), DataType.float32);
}

/** The matrix in float32, [rows, columns]. */
function matrixValues(chain: Chain, inputs: DequantizeInputs, { format, columns }: DequantizeAttributes): TensorHandle {
  const { codes, scales, minima } = inputs;
  const [rows, units] = codes.shape;
  let values = codeValues(chain, format, chain.input(codes));
  if (scales) values = chain.binary('Mul', values, numberValues(chain, chain.input(scales), units));
  if (minima) values = chain.binary('AddV2', values, numberValues(chain, chain.input(minima), units));
  return chain.cut(chain.reshape(values, [rows, units * BLOCK_FORMATS[format].unit]), columns);
}

/** The matrix in bfloat16; one that is stored in bfloat16 isn't copied. */
function roundedValues(chain: Chain, inputs: DequantizeInputs, attributes: DequantizeAttributes): TensorHandle {
  if (attributes.format !== 'bfloat16') return chain.cast(matrixValues(chain, inputs, attributes), DataType.bfloat16);
  const [rows, units] = inputs.codes.shape;
  const values = chain.reshape(chain.bitcast(chain.input(inputs.codes), DataType.bfloat16), [rows, 2 * units]);
  return chain.cut(values, attributes.columns);
}

function dequantize(backend: NodeBackend, inputs: DequantizeInputs, attributes: DequantizeAttributes) {
  const chain = new Chain(backend);
  return chain.end(matrixValues(chain, inputs, attributes));
}

/** Both operands are rounded to bfloat16; oneDNN accumulates in float32 and rounds the sums. */
function multiply(backend: NodeBackend, inputs: BlockProductInputs, attributes: BlockProductAttributes) {
  const chain = new Chain(backend);
  const matrix = roundedValues(chain, inputs, attributes);
  const x = chain.cast(chain.input(inputs.x), DataType.bfloat16);
  const bools = { transpose_a: false, transpose_b: attributes.transposed };
  return chain.end(chain.cast(chain.run('MatMul', [x, matrix], { T: DataType.bfloat16 }, { bools }), DataType.float32));
}

/** Registers the kernels for the TensorFlow backend, once. */
export function registerBlockKernels(): void {
  register(DEQUANTIZE_BLOCKS, dequantize);
  register(BLOCK_PRODUCT, multiply);
}

function register<Inputs, Attributes>(
  kernelName: string,
  run: (backend: NodeBackend, inputs: Inputs, attributes: Attributes) => tf.TensorInfo,
): void {
  if (tf.getKernel(kernelName, 'tensorflow')) return;
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs, backend }) => run(backend as NodeBackend, inputs as Inputs, attrs as Attributes),
  });
}
