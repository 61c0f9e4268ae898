// Result shapes of TensorFlow's ops, for tracing without computing: the rules that the rows of opTable.ts use. Values
// of constant inputs (axes, sizes, permutations) are known. They follow TensorFlow's op documentation.
import * as tf from '@tensorflow/tfjs-core';
import { boolAttribute, bytesOfType, DataType, intAttribute, typeAttribute, type Attributes } from './graph.js';

/** The description of a tensor. */
export interface AbstractTensor {
  shape: number[];
  /** TensorFlow's DataType. */
  dtype: number;
  /** Known if the tensor is a constant. */
  values?: ArrayLike<number>;
}

/** Describes the results of an op. */
export type ShapeRule = (inputs: readonly AbstractTensor[], attributes: Attributes) => AbstractTensor[];

const valuesOf = ({ values }: AbstractTensor): number[] => {
  if (!values) throw new Error('a shape depends on a value that is only known at run time');
  return Array.from(values);
};
const scalarOf = (tensor: AbstractTensor): number => valuesOf(tensor)[0]!;
const axisOf = (tensor: AbstractTensor, rank: number): number => {
  const axis = scalarOf(tensor);
  return axis < 0 ? axis + rank : axis;
};

export const same: ShapeRule = ([x]) => [{ shape: x!.shape, dtype: x!.dtype }];

export const broadcast: ShapeRule = ([a, b]) => [
  { shape: tf.backend_util.assertAndGetBroadcastShape(a!.shape, b!.shape), dtype: a!.dtype },
];

const predicate =
  (rule: ShapeRule): ShapeRule =>
  (inputs, attributes) =>
    rule(inputs, attributes).map(({ shape }) => ({ shape, dtype: DataType.bool }));

/** Boolean results: of each value, and of each pair of values. */
export const test = predicate(same);
export const comparison = predicate(broadcast);

export const reduction: ShapeRule = ([x, axes], attributes) => {
  const reduced = new Set(valuesOf(axes!).map(axis => (axis < 0 ? axis + x!.shape.length : axis)));
  const shape = boolAttribute(attributes, 'keep_dims')
    ? x!.shape.map((size, i) => (reduced.has(i) ? 1 : size))
    : x!.shape.filter((_, i) => !reduced.has(i));
  return [{ shape, dtype: x!.dtype }];
};

export const argument: ShapeRule = ([x, axis], attributes) => {
  const reduced = axisOf(axis!, x!.shape.length);
  return [{ shape: x!.shape.filter((_, i) => i !== reduced), dtype: typeAttribute(attributes, 'output_type') }];
};

/** Matrices in the last two dimensions; the attributes with these names transpose them. */
export const product =
  ({ transposesFirst, transposesSecond }: { transposesFirst: string; transposesSecond: string }): ShapeRule =>
  ([a, b], attributes) => {
    const batch = tf.backend_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    const rows = a!.shape.at(boolAttribute(attributes, transposesFirst) ? -1 : -2)!;
    const columns = b!.shape.at(boolAttribute(attributes, transposesSecond) ? -2 : -1)!;
    return [{ shape: [...batch, rows, columns], dtype: a!.dtype }];
  };

export const cast: ShapeRule = ([x], attributes) => [{ shape: x!.shape, dtype: typeAttribute(attributes, 'DstT') }];

export const bitcast: ShapeRule = ([x], attributes) => {
  const dtype = typeAttribute(attributes, 'type');
  const parts = bytesOfType(x!.dtype) / bytesOfType(dtype);
  return [{ shape: parts > 1 ? [...x!.shape, parts] : x!.shape, dtype }];
};

export const reshape: ShapeRule = ([x, to]) => [
  { shape: tf.util.inferFromImplicitShape(valuesOf(to!), tf.util.sizeFromShape(x!.shape)), dtype: x!.dtype },
];

export const expandDims: ShapeRule = ([x, axis]) => {
  const at = axisOf(axis!, x!.shape.length + 1);
  return [{ shape: x!.shape.toSpliced(at, 0, 1), dtype: x!.dtype }];
};

export const transpose: ShapeRule = ([x, order]) => [
  { shape: valuesOf(order!).map(axis => x!.shape[axis]!), dtype: x!.dtype },
];

export const slice: ShapeRule = ([x, begin, size]) => {
  const starts = valuesOf(begin!);
  const sizes = valuesOf(size!);
  return [{ shape: sizes.map((n, i) => (n < 0 ? x!.shape[i]! - starts[i]! : n)), dtype: x!.dtype }];
};

export const gather: ShapeRule = ([x, indices, axis]) => {
  const at = axisOf(axis!, x!.shape.length);
  return [{ shape: x!.shape.toSpliced(at, 1, ...indices!.shape), dtype: x!.dtype }];
};

export const concat: ShapeRule = inputs => {
  const parts = inputs.slice(0, -1);
  const axis = axisOf(inputs.at(-1)!, parts[0]!.shape.length);
  const length = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  return [{ shape: parts[0]!.shape.with(axis, length), dtype: parts[0]!.dtype }];
};

export const split: ShapeRule = ([x, sizes, axis]) => {
  const at = axisOf(axis!, x!.shape.length);
  return valuesOf(sizes!).map(size => ({ shape: x!.shape.with(at, size), dtype: x!.dtype }));
};

export const pack: ShapeRule = (parts, attributes) => [
  { shape: parts[0]!.shape.toSpliced(intAttribute(attributes, 'axis'), 0, parts.length), dtype: parts[0]!.dtype },
];

export const unpack: ShapeRule = ([x], attributes) => {
  const shape = x!.shape.toSpliced(intAttribute(attributes, 'axis'), 1);
  return Array.from({ length: intAttribute(attributes, 'num') }, () => ({ shape, dtype: x!.dtype }));
};

export const pad: ShapeRule = ([x, padding]) => {
  const around = valuesOf(padding!);
  return [{ shape: x!.shape.map((size, i) => size + around[2 * i]! + around[2 * i + 1]!), dtype: x!.dtype }];
};

export const tile: ShapeRule = ([x, multiples]) => [
  { shape: valuesOf(multiples!).map((n, i) => n * x!.shape[i]!), dtype: x!.dtype },
];

export const fill: ShapeRule = ([dims, value]) => [{ shape: valuesOf(dims!), dtype: value!.dtype }];

export const range: ShapeRule = ([start, limit, delta]) => {
  const count = Math.ceil((scalarOf(limit!) - scalarOf(start!)) / scalarOf(delta!));
  return [{ shape: [Math.max(0, count)], dtype: start!.dtype }];
};

export const oneHot: ShapeRule = ([indices, depth, on], attributes) => {
  const axis = intAttribute(attributes, 'axis');
  const at = axis < 0 ? indices!.shape.length : axis;
  return [{ shape: indices!.shape.toSpliced(at, 0, scalarOf(depth!)), dtype: on!.dtype }];
};

export const scatter: ShapeRule = ([, updates, shape]) => [{ shape: valuesOf(shape!), dtype: updates!.dtype }];

export const select: ShapeRule = ([, value]) => [{ shape: value!.shape, dtype: value!.dtype }];

export const randomUniform: ShapeRule = ([shape], attributes) => [
  { shape: valuesOf(shape!), dtype: typeAttribute(attributes, 'dtype') },
];
