// What the engine knows about each TensorFlow op that a traced graph may contain, one row per op. Tracing, the split
// into parts for XLA and both estimates read it and keep no lists of their own. An op without a row can't be captured;
// code that uses it runs eagerly. test/contract/opTable.test.ts compares the shapes of every row with TensorFlow's.
import * as tf from '@tensorflow/tfjs-core';
import { boolAttribute, typeAttribute, type Attributes, type GraphNode } from './graph.js';
import * as shapes from './shapeRules.js';
import type { AbstractTensor, ShapeRule } from './shapeRules.js';

/**
 * Where a result's memory comes from:
 * - `own`: newly allocated.
 * - `overFirst`: the first input's memory if nothing else reads it and the size fits, else newly allocated
 *   (`forward_input_or_allocate_output` in the kernel). `overAny`: the same with any of the inputs.
 * - `view`: the first input's memory, shared.
 * - `update`: the first input's memory, written in place: everything that reads it later sees the new values.
 * - `held`: fed, held by a variable, or a constant of the graph.
 */
export type ResultMemory = 'own' | 'overFirst' | 'overAny' | 'view' | 'update' | 'held';

/** How to read a matrix product's attributes. */
export interface MatrixProduct {
  /** Name of the attribute that transposes the first matrix. */
  transposesFirst: string;
  transposesSecond: string;
  /** Whether the kernel copies the second matrix in order to transpose it. */
  copiesTransposed: boolean;
}

export interface OpRow {
  /** null: no kernel sends the op; the trace adds it itself and knows the result. */
  shape: ShapeRule | null;
  memory: ResultMemory | ((attributes: Attributes) => ResultMemory);
  /** Name of the op's output in a function, if XLA may compile the op; null: a graph with it isn't split into parts. */
  xla: string | null;
  product: MatrixProduct | null;
  /** Attributes that a graph must have, but that tfjs-node leaves to TensorFlow's eager runtime to infer. */
  implied: ((inputs: readonly AbstractTensor[]) => Attributes) | null;
}

const BATCH_MAT_MUL: MatrixProduct = { transposesFirst: 'adj_x', transposesSecond: 'adj_y', copiesTransposed: true };
const MAT_MUL: MatrixProduct = { ...BATCH_MAT_MUL, transposesFirst: 'transpose_a', transposesSecond: 'transpose_b' };
/**
 * Sent for a single row (models/ops.ts), which is multiplied without a copy: 0-6 MB in addition to a matrix of 113 MB.
 */
const ROW_MAT_MUL: MatrixProduct = { ...BATCH_MAT_MUL, copiesTransposed: false };

/** A cast to the same type does nothing. */
const memoryOfCast = (attributes: Attributes): ResultMemory =>
  typeAttribute(attributes, 'SrcT') === typeAttribute(attributes, 'DstT') ? 'view' : 'own';

const typesOfExpandDims: OpRow['implied'] = ([x, axis]) => ({ T: { type: x!.dtype }, Tdim: { type: axis!.dtype } });

const rows = {
  Placeholder: { shape: null, memory: 'held', xla: null, product: null, implied: null },
  VarHandleOp: { shape: null, memory: 'held', xla: null, product: null, implied: null },
  ReadVariableOp: { shape: null, memory: 'held', xla: null, product: null, implied: null },
  Const: { shape: null, memory: 'held', xla: 'output', product: null, implied: null },

  Neg: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Square: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Sqrt: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Rsqrt: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Log: { shape: shapes.same, memory: 'overFirst', xla: null, product: null, implied: null },
  Sigmoid: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Tanh: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Relu: { shape: shapes.same, memory: 'overFirst', xla: 'activations', product: null, implied: null },
  Erf: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Exp: { shape: shapes.same, memory: 'overFirst', xla: 'y', product: null, implied: null },
  Softmax: { shape: shapes.same, memory: 'overFirst', xla: 'softmax', product: null, implied: null },
  ZerosLike: { shape: shapes.same, memory: 'own', xla: 'y', product: null, implied: null },
  IsNan: { shape: shapes.test, memory: 'own', xla: null, product: null, implied: null },

  Add: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  AddV2: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  Sub: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  Mul: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  RealDiv: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  Maximum: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  Minimum: { shape: shapes.broadcast, memory: 'overAny', xla: 'z', product: null, implied: null },
  AddN: { shape: shapes.same, memory: 'overAny', xla: null, product: null, implied: null },
  BitwiseAnd: { shape: shapes.broadcast, memory: 'own', xla: null, product: null, implied: null },
  LeftShift: { shape: shapes.broadcast, memory: 'own', xla: null, product: null, implied: null },
  RightShift: { shape: shapes.broadcast, memory: 'own', xla: null, product: null, implied: null },
  Equal: { shape: shapes.comparison, memory: 'own', xla: 'z', product: null, implied: null },
  Less: { shape: shapes.comparison, memory: 'own', xla: 'z', product: null, implied: null },
  LessEqual: { shape: shapes.comparison, memory: 'own', xla: 'z', product: null, implied: null },
  Greater: { shape: shapes.comparison, memory: 'own', xla: 'z', product: null, implied: null },
  GreaterEqual: { shape: shapes.comparison, memory: 'own', xla: 'z', product: null, implied: null },
  LogicalAnd: { shape: shapes.comparison, memory: 'own', xla: 'z', product: null, implied: null },

  Sum: { shape: shapes.reduction, memory: 'own', xla: 'output', product: null, implied: null },
  Mean: { shape: shapes.reduction, memory: 'own', xla: 'output', product: null, implied: null },
  Max: { shape: shapes.reduction, memory: 'own', xla: null, product: null, implied: null },
  ArgMax: { shape: shapes.argument, memory: 'own', xla: 'output', product: null, implied: null },

  MatMul: { shape: shapes.product(MAT_MUL), memory: 'own', xla: 'product', product: MAT_MUL, implied: null },
  BatchMatMulV2: {
    shape: shapes.product(BATCH_MAT_MUL),
    memory: 'own',
    xla: 'output',
    product: BATCH_MAT_MUL,
    implied: null,
  },
  BatchMatMulV3: {
    shape: shapes.product(ROW_MAT_MUL),
    memory: 'own',
    xla: 'output',
    product: ROW_MAT_MUL,
    implied: null,
  },

  Reshape: { shape: shapes.reshape, memory: 'view', xla: 'output', product: null, implied: null },
  ExpandDims: { shape: shapes.expandDims, memory: 'view', xla: 'output', product: null, implied: typesOfExpandDims },
  Bitcast: { shape: shapes.bitcast, memory: 'view', xla: null, product: null, implied: null },
  Cast: { shape: shapes.cast, memory: memoryOfCast, xla: 'y', product: null, implied: null },
  Transpose: { shape: shapes.transpose, memory: 'own', xla: 'y', product: null, implied: null },
  Slice: { shape: shapes.slice, memory: 'own', xla: 'output', product: null, implied: null },
  GatherV2: { shape: shapes.gather, memory: 'own', xla: 'output', product: null, implied: null },
  ConcatV2: { shape: shapes.concat, memory: 'own', xla: 'output', product: null, implied: null },
  SplitV: { shape: shapes.split, memory: 'own', xla: 'output', product: null, implied: null },
  Pack: { shape: shapes.pack, memory: 'own', xla: 'output', product: null, implied: null },
  Unpack: { shape: shapes.unpack, memory: 'own', xla: 'output', product: null, implied: null },
  PadV2: { shape: shapes.pad, memory: 'own', xla: 'output', product: null, implied: null },
  Tile: { shape: shapes.tile, memory: 'own', xla: 'output', product: null, implied: null },
  Fill: { shape: shapes.fill, memory: 'own', xla: 'output', product: null, implied: null },
  Range: { shape: shapes.range, memory: 'own', xla: 'output', product: null, implied: null },
  OneHot: { shape: shapes.oneHot, memory: 'own', xla: null, product: null, implied: null },
  ScatterNd: { shape: shapes.scatter, memory: 'own', xla: null, product: null, implied: null },
  TensorScatterSub: { shape: shapes.same, memory: 'overFirst', xla: null, product: null, implied: null },
  InplaceUpdate: { shape: shapes.same, memory: 'update', xla: null, product: null, implied: null },
  Select: { shape: shapes.select, memory: 'own', xla: 'output', product: null, implied: null },
  StatelessRandomUniform: { shape: shapes.randomUniform, memory: 'own', xla: null, product: null, implied: null },
} satisfies Record<string, OpRow>;

export const opTable: ReadonlyMap<string, OpRow> = new Map<string, OpRow>(Object.entries(rows));

/** An op that can't be traced; the caller runs eagerly instead. */
export class UntraceableError extends Error {
  constructor(readonly op: string) {
    super(`the op ${op} has no row in the table of ops, so the step can't be captured`);
    this.name = 'UntraceableError';
  }
}

/** @throws UntraceableError on an op without a row */
export function rowOf(op: string): OpRow {
  const row = opTable.get(op);
  if (!row) throw new UntraceableError(op);
  return row;
}

/**
 * The results of an op, described.
 * @throws UntraceableError on an op without a row
 */
export function resultsOf(op: string, inputs: readonly AbstractTensor[], attributes: Attributes): AbstractTensor[] {
  const { shape } = rowOf(op);
  if (!shape) throw new UntraceableError(op);
  return shape(inputs, attributes);
}

export function memoryOf({ op, attributes }: Pick<GraphNode, 'op' | 'attributes'>): ResultMemory {
  const { memory } = rowOf(op);
  return typeof memory === 'function' ? memory(attributes) : memory;
}

/** Whether a node writes a result to memory: newly allocated, or an input's that nothing else needs. */
export function fillsMemory(node: Pick<GraphNode, 'op' | 'attributes'>): boolean {
  return ['own', 'overFirst', 'overAny'].includes(memoryOf(node));
}

/** Floating point operations of a batch of matrix products: 2 m n k each. */
export function productFlops(
  { transposesFirst }: MatrixProduct,
  attributes: Attributes,
  first: Pick<AbstractTensor, 'shape'>,
  result: Pick<AbstractTensor, 'shape'>,
): number {
  const inner = first.shape.at(boolAttribute(attributes, transposesFirst) ? -2 : -1)!;
  return 2 * inner * tf.util.sizeFromShape(result.shape);
}
