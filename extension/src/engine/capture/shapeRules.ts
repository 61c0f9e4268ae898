// Shapes of what TensorFlow's ops give, for tracing without computing. One rule an op; values of constant inputs (axes,
// sizes, permutations) are known. A new op needs a rule here, or a step that uses it runs eagerly.
import * as tf from '@tensorflow/tfjs-core';
import { bytesOfType, DataType } from './graph.js';

/** A tensor that is only described. */
export interface AbstractTensor {
  shape: number[];
  /** TensorFlow's DataType. */
  dtype: number;
  /** Known where the tensor is a constant. */
  values?: ArrayLike<number>;
}

type Attributes = Record<string, any>;
/** Described results of an op. */
export type ShapeRule = (inputs: AbstractTensor[], attributes: Attributes) => AbstractTensor[];

const valuesOf = ({ values }: AbstractTensor): number[] => {
  if (!values) throw new Error('a shape depends on a value that is only known at run time');
  return Array.from(values);
};
const scalarOf = (tensor: AbstractTensor): number => valuesOf(tensor)[0]!;
const axisOf = (tensor: AbstractTensor, rank: number): number => {
  const axis = scalarOf(tensor);
  return axis < 0 ? axis + rank : axis;
};

const same: ShapeRule = ([x]) => [{ shape: x!.shape, dtype: x!.dtype }];
const broadcast: ShapeRule = ([a, b]) => [
  { shape: tf.backend_util.assertAndGetBroadcastShape(a!.shape, b!.shape), dtype: a!.dtype },
];
const predicate =
  (rule: ShapeRule): ShapeRule =>
  (inputs, attributes) =>
    rule(inputs, attributes).map(result => ({ ...result, dtype: DataType.bool }));

const reduce: ShapeRule = ([x, axes], { keep_dims: keepDims }) => {
  const reduced = new Set(valuesOf(axes!).map(axis => (axis < 0 ? axis + x!.shape.length : axis)));
  const shape = keepDims
    ? x!.shape.map((size, i) => (reduced.has(i) ? 1 : size))
    : x!.shape.filter((_, i) => !reduced.has(i));
  return [{ shape, dtype: x!.dtype }];
};

const argument: ShapeRule = ([x, axis], { output_type: type }) => {
  const reduced = axisOf(axis!, x!.shape.length);
  return [{ shape: x!.shape.filter((_, i) => i !== reduced), dtype: type ?? DataType.int64 }];
};

const batchMatMul: ShapeRule = ([a, b], { adj_x: adjX, adj_y: adjY }) => {
  const batch = tf.backend_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  return [{ shape: [...batch, a!.shape.at(adjX ? -1 : -2)!, b!.shape.at(adjY ? -2 : -1)!], dtype: a!.dtype }];
};

const rulesByOp: [string, ShapeRule][] = [
  [
    'Reshape',
    ([x, to]) => [
      { shape: tf.util.inferFromImplicitShape(valuesOf(to!), tf.util.sizeFromShape(x!.shape)), dtype: x!.dtype },
    ],
  ],
  ['Cast', ([x], { DstT }) => [{ shape: x!.shape, dtype: DstT }]],
  [
    'Bitcast',
    ([x], { type }) => {
      const parts = bytesOfType(x!.dtype) / bytesOfType(type);
      return [{ shape: parts > 1 ? [...x!.shape, parts] : x!.shape, dtype: type }];
    },
  ],
  ['BatchMatMulV2', batchMatMul],
  ['BatchMatMulV3', batchMatMul],
  [
    'MatMul',
    ([a, b], { transpose_a: ta, transpose_b: tb }) => [
      { shape: [a!.shape[ta ? 1 : 0]!, b!.shape[tb ? 0 : 1]!], dtype: a!.dtype },
    ],
  ],
  ['Transpose', ([x, order]) => [{ shape: valuesOf(order!).map(axis => x!.shape[axis]!), dtype: x!.dtype }]],
  [
    'Slice',
    ([x, begin, size]) => {
      const starts = valuesOf(begin!);
      const sizes = valuesOf(size!);
      return [{ shape: sizes.map((n, i) => (n < 0 ? x!.shape[i]! - starts[i]! : n)), dtype: x!.dtype }];
    },
  ],
  [
    'GatherV2',
    ([x, indices, axis]) => {
      const at = axisOf(axis!, x!.shape.length);
      return [{ shape: x!.shape.toSpliced(at, 1, ...indices!.shape), dtype: x!.dtype }];
    },
  ],
  [
    'ConcatV2',
    inputs => {
      const parts = inputs.slice(0, -1);
      const axis = axisOf(inputs.at(-1)!, parts[0]!.shape.length);
      const length = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
      return [{ shape: parts[0]!.shape.with(axis, length), dtype: parts[0]!.dtype }];
    },
  ],
  [
    'SplitV',
    ([x, sizes, axis]) => {
      const at = axisOf(axis!, x!.shape.length);
      return valuesOf(sizes!).map(size => ({ shape: x!.shape.with(at, size), dtype: x!.dtype }));
    },
  ],
  ['Pack', (parts, { axis }) => [{ shape: parts[0]!.shape.toSpliced(axis, 0, parts.length), dtype: parts[0]!.dtype }]],
  [
    'Unpack',
    ([x], { axis, num }) =>
      Array.from({ length: num }, () => ({ shape: x!.shape.toSpliced(axis, 1), dtype: x!.dtype })),
  ],
  [
    'ExpandDims',
    ([x, axis]) => {
      const at = scalarOf(axis!);
      return [{ shape: x!.shape.toSpliced(at < 0 ? x!.shape.length + at + 1 : at, 0, 1), dtype: x!.dtype }];
    },
  ],
  [
    'PadV2',
    ([x, padding]) => {
      const around = valuesOf(padding!);
      return [{ shape: x!.shape.map((size, i) => size + around[2 * i]! + around[2 * i + 1]!), dtype: x!.dtype }];
    },
  ],
  ['Tile', ([x, multiples]) => [{ shape: valuesOf(multiples!).map((n, i) => n * x!.shape[i]!), dtype: x!.dtype }]],
  ['Fill', ([dims, value]) => [{ shape: valuesOf(dims!), dtype: value!.dtype }]],
  [
    'Range',
    ([start, limit, delta]) => [
      {
        shape: [Math.max(0, Math.ceil((scalarOf(limit!) - scalarOf(start!)) / scalarOf(delta!)))],
        dtype: start!.dtype,
      },
    ],
  ],
  [
    'OneHot',
    ([indices, depth, on], { axis }) => {
      const at = axis < 0 ? indices!.shape.length : axis;
      return [{ shape: indices!.shape.toSpliced(at, 0, scalarOf(depth!)), dtype: on!.dtype }];
    },
  ],
  ['ScatterNd', ([, updates, shape]) => [{ shape: valuesOf(shape!), dtype: updates!.dtype }]],
  ['Select', ([, value]) => [{ shape: value!.shape, dtype: value!.dtype }]],
  [
    'SelectV2',
    ([condition, a, b]) => {
      const shape = tf.backend_util.assertAndGetBroadcastShape(a!.shape, b!.shape);
      return [{ shape: tf.backend_util.assertAndGetBroadcastShape(condition!.shape, shape), dtype: a!.dtype }];
    },
  ],
  ['StatelessRandomUniform', ([shape], { dtype }) => [{ shape: valuesOf(shape!), dtype: dtype ?? DataType.float32 }]],
];

const alike = (ops: readonly string[], rule: ShapeRule): [string, ShapeRule][] => ops.map(op => [op, rule]);

export const shapeRules: ReadonlyMap<string, ShapeRule> = new Map([
  ...rulesByOp,
  ...alike(['Neg', 'Abs', 'Sign', 'Square', 'Sqrt', 'Rsqrt', 'Exp', 'Log', 'Sigmoid', 'Tanh', 'Relu'], same),
  ...alike(['Softmax', 'LogSoftmax', 'ZerosLike', 'OnesLike', 'Identity', 'AddN', 'LogicalNot', 'Reciprocal'], same),
  ...alike(['InplaceUpdate', 'TensorScatterSub'], same),
  ...alike(['Add', 'AddV2', 'Sub', 'Mul', 'Div', 'RealDiv', 'FloorDiv', 'Pow', 'Maximum', 'Minimum'], broadcast),
  ...alike(['BitwiseAnd', 'LeftShift', 'RightShift'], broadcast),
  ...alike(['Equal', 'NotEqual', 'Less', 'LessEqual', 'Greater', 'GreaterEqual'], predicate(broadcast)),
  ...alike(['LogicalAnd', 'LogicalOr'], predicate(broadcast)),
  ...alike(['IsNan', 'IsInf', 'IsFinite'], predicate(same)),
  ...alike(['Sum', 'Mean', 'Max', 'Min', 'Prod'], reduce),
  ...alike(['ArgMax', 'ArgMin'], argument),
]);
