// Translates each tfjs kernel into a call of an op in the table of ops, which defines the shape of its result. A kernel
// that TensorFlow computes with several ops becomes the last of them that fills memory. Called by shapeBackend.ts.
import * as tf from '@tensorflow/tfjs-core';
import { BLOCK_PRODUCT, DEQUANTIZE_BLOCKS } from '../capture/blockKernels.js';
import { DataType, typeNumber, type Attributes } from '../capture/graph.js';
import type { AbstractTensor } from '../capture/shapeRules.js';

export interface OpCall {
  op: string;
  inputs: readonly AbstractTensor[];
  attributes: Attributes;
}

/** From a kernel's inputs, in the order of their names, and tfjs's attributes to a call. */
type Translation = (inputs: readonly AbstractTensor[], attributes: Record<string, any>) => OpCall;

const call = (op: string, inputs: readonly AbstractTensor[], attributes: Attributes = {}): OpCall => ({
  op,
  inputs,
  attributes,
});
const constant = (...values: number[]): AbstractTensor => ({ shape: [values.length], dtype: DataType.int32, values });
const scalar = (dtype: string, value: number): AbstractTensor => ({
  shape: [],
  dtype: typeNumber(dtype),
  values: [value],
});
const axesOf = ({ shape }: AbstractTensor, axis: number | number[]) => tf.util.parseAxisParam(axis, shape);

const plain =
  (op: string): Translation =>
  inputs =>
    call(op, inputs);
const reduction =
  (op: string): Translation =>
  ([x], { axis, reductionIndices, keepDims }) =>
    call(op, [x!, constant(...axesOf(x!, axis ?? reductionIndices))], { keep_dims: { bool: keepDims } });
const each = (kernels: readonly string[], translation: (op: string) => Translation) =>
  kernels.map((kernel): [string, Translation] => [kernel, translation(kernel)]);

/** The kernels that models, methods and training use; a test runs every method on every family through them. */
export const kernelOps: ReadonlyMap<string, Translation> = new Map<string, Translation>([
  ...each([tf.Neg, tf.Square, tf.Sqrt, tf.Rsqrt, tf.Log, tf.Sigmoid, tf.Tanh, tf.Relu, tf.Erf, tf.Exp], plain),
  ...each([tf.Softmax], plain),
  ...each([tf.Add, tf.Sub, tf.RealDiv, tf.Maximum, tf.Minimum, tf.AddN, tf.ZerosLike], plain),
  ...each([tf.Equal, tf.Less, tf.LessEqual, tf.Greater, tf.GreaterEqual, tf.LogicalAnd, tf.Select], plain),
  [tf.Multiply, plain('Mul')],
  ...each([tf.Sum, tf.Mean, tf.Max], reduction),
  [tf.ArgMax, ([x], { axis }) => call('ArgMax', [x!, constant(axis)], { output_type: { type: DataType.int32 } })],
  [tf.Step, ([x]) => call('Select', [x!, x!, x!])],
  [
    tf.BatchMatMul,
    (inputs, { transposeA, transposeB }) =>
      call('BatchMatMulV2', inputs, { adj_x: { bool: transposeA }, adj_y: { bool: transposeB } }),
  ],
  [
    BLOCK_PRODUCT,
    ([x, codes], { columns, transposed }) => {
      const matrix = { shape: [codes!.shape[0]!, columns], dtype: DataType.float32 };
      return call('MatMul', [x!, matrix], { transpose_b: { bool: transposed } });
    },
  ],
  [
    DEQUANTIZE_BLOCKS,
    ([codes], { columns }) => call('Fill', [constant(codes!.shape[0]!, columns), scalar('float32', 0)]),
  ],
  [tf.Transpose, ([x], { perm }) => call('Transpose', [x!, constant(...perm)])],
  // A clone shares its input's memory.
  [tf.Identity, ([x]) => call('Reshape', [x!, constant(...x!.shape)])],
  [tf.Reshape, ([x], { shape }) => call('Reshape', [x!, constant(...shape)])],
  [tf.ExpandDims, ([x], { dim }) => call('ExpandDims', [x!, constant(dim)])],
  [tf.Cast, ([x], { dtype }) => call('Cast', [x!], { SrcT: { type: x!.dtype }, DstT: { type: typeNumber(dtype) } })],
  [
    tf.Slice,
    ([x], { begin, size }) => {
      const [starts, sizes] = tf.slice_util.parseSliceParams(x as unknown as tf.Tensor, begin, size);
      return call('Slice', [x!, constant(...starts!), constant(...sizes!)]);
    },
  ],
  [tf.Concat, (parts, { axis }) => call('ConcatV2', [...parts, constant(axesOf(parts[0]!, axis)[0]!)])],
  [tf.PadV2, ([x], { paddings }) => call('PadV2', [x!, constant(...paddings.flat())])],
  [tf.Pack, (parts, { axis }) => call('Pack', parts, { axis: { int: axis } })],
  [tf.Unpack, ([x], { axis }) => call('Unpack', [x!], { axis: { int: axis }, num: { int: x!.shape[axis]! } })],
  [
    tf.SplitV,
    ([x], { numOrSizeSplits, axis }) => {
      const at = axesOf(x!, axis)[0]!;
      const sizes = tf.backend_util.prepareSplitSize(x as unknown as tf.Tensor, numOrSizeSplits, at);
      return call('SplitV', [x!, constant(...sizes), constant(at)]);
    },
  ],
  [tf.Tile, ([x], { reps }) => call('Tile', [x!, constant(...reps)])],
  [tf.GatherV2, ([x, indices], { axis }) => call('GatherV2', [x!, indices!, constant(axis)])],
  [tf.ScatterNd, (inputs, { shape }) => call('ScatterNd', [...inputs, constant(...shape)])],
  [
    tf.OneHot,
    ([indices], { depth, onValue, dtype }) =>
      call('OneHot', [indices!, constant(depth), scalar(dtype, onValue)], { axis: { int: -1 } }),
  ],
  [
    tf.Range,
    (_inputs, { start, stop, step, dtype }) =>
      call('Range', [scalar(dtype, start), scalar(dtype, stop), scalar(dtype, step)]),
  ],
  [tf.Fill, (_inputs, { shape, value, dtype }) => call('Fill', [constant(...shape), scalar(dtype, value)])],
]);
