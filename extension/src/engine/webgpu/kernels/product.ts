// Matrix products: of float32 matrices with transposes and batches, in place of tfjs's kernel, and of float32 rows with a matrix in
// bfloat16 or blocks, which is never dense in memory. A workgroup computes a square tile of the result from tiles of the operands in
// workgroup memory; each invocation 4 x 4 of its numbers (as in Volkov and Demmel 2008, "Benchmarking GPUs to tune dense linear algebra").
// A long sum with few tiles is split among workgroups, whose parts are added in order; tfjs's kernel adds them with atomic operations, so
// that two runs differ. A single row, as in decoding, has a workgroup for each number of the result.
import * as tf from '@tensorflow/tfjs-core';
import { BLOCK_FORMATS, type BlockFormatName } from '../../files/weightBlocks.js';
import { bindingsOf, dispatch, ELEMENT_MAIN, emptied, output, u32, workgroupsFor, type Shader } from '../shader.js';
import { webgpuBackend } from '../tfjsWebgpu.js';
import { weightBindings, weightReader } from './blocks.js';
import { register, replace } from './register.js';
import { reduction, rowMain, workgroupsForRows } from './rows.js';

export const BLOCK_MAT_MUL = 'BlockMatMul';

export interface BlockMatMulInputs {
  /** [rows, inner] */
  x: tf.Tensor;
  /** The matrix, as of `DequantizeInputs` */
  codes: tf.Tensor;
  scales?: tf.Tensor;
  minima?: tf.Tensor;
}

export interface BlockMatMulAttributes {
  format: BlockFormatName;
  columns: number;
  /** Whether the matrix is transposed before the product. */
  transposed: boolean;
}

/** An operand: matrices of `outer` rows with `inner` columns, one after the other. */
interface Operand {
  tensors: readonly tf.TensorInfo[];
  /** null: float32 */
  format: BlockFormatName | null;
  /** Whether the sum is over its rows, not its columns. */
  sumsRows: boolean;
  /** Columns, and whether four of them are read at a time. */
  fours: boolean;
  /** From one matrix of the batch to the next; 0 if it has one for all. */
  stride: number;
}

interface Product {
  a: Operand;
  b: Operand;
  batch: number;
  rows: number;
  columns: number;
  inner: number;
}

const describe = ({ format, sumsRows, fours }: Operand) =>
  `${format ?? (fours ? 'fours' : 'float')}${sumsRows ? 'T' : ''}`;

const PARAMETERS = [
  ...['rows', 'columns', 'inner', 'innerOfPart', 'batch', 'strideA', 'strideB', 'units'].map(name => `${name}: u32`),
];

function bindingOf(name: string, { format, fours }: Operand): Record<string, string> {
  return format === null ? { [name]: fours ? 'vec4f' : 'f32' } : weightBindings(format);
}

/** A function that reads four numbers of a row, from a column on that is divisible by 4; zeros beyond the matrix. Without branches. */
function reader(name: string, { format, fours }: Operand): string {
  const at = (body: string) => `fn read_${name}(first: u32, row: u32, rows: u32, column: u32, columns: u32) -> vec4f {
    let isIn = row < rows && column < columns;
    ${body}
  }`;
  if (format === null && fours)
    return at(`return select(vec4f(), ${name}[select(0u, (first + row * columns + column) / 4u, isIn)], isIn);`);
  const one =
    format === null
      ? `${name}[select(0u, first + row * columns + column + i, isHere)]`
      : 'weightAt(select(0u, row, isHere), select(0u, column + i, isHere))';
  return `${format === null ? '' : weightReader(format)}
  ${at(`var values = vec4f();
    for (var i = 0u; i < 4u; i++) {
      let isHere = isIn && column + i < columns;
      values[i] = select(0.0, ${one}, isHere);
    }
    return values;`)}`;
}

/** Loads a tile of an operand: vectors of four rows of the result (or columns, of b), for each place of the sum. */
function load(
  name: string,
  { sumsRows }: Operand,
  { side, depth, invocations }: TileShape,
  start: string,
  count: string,
): string {
  const stride = side / 4 + 1;
  const first = `first_${name}`;
  if (sumsRows)
    return `for (var item = local; item < ${(depth * side) / 4}u; item += ${invocations}u) {
        let k = item / ${side / 4}u;
        let four = item % ${side / 4}u;
        tile_${name}[k * ${stride}u + four] = read_${name}(${first}, k0 + k, end, ${start} + four * 4u, ${count});
      }`;
  return `for (var item = local; item < ${(depth * side) / 16}u; item += ${invocations}u) {
        let k = (item % ${depth / 4}u) * 4u;
        let four = item / ${depth / 4}u;
        var values = mat4x4f();
        for (var i = 0u; i < 4u; i++) { values[i] = read_${name}(${first}, ${start} + four * 4u + i, ${count}, k0 + k, params.inner); }
        values = transpose(values);
        for (var i = 0u; i < 4u; i++) { tile_${name}[(k + i) * ${stride}u + four] = values[i]; }
      }`;
}

interface TileShape {
  /** Rows and columns of the result. */
  side: number;
  /** Places of the sum. */
  depth: number;
  invocations: number;
}

const SMALL: TileShape = { side: 32, depth: 32, invocations: 64 };
const LARGE: TileShape = { side: 64, depth: 16, invocations: 256 };

/** Group x is a tile of columns, y of rows; z a matrix of the batch in a part of the sum. */
function tileShader(a: Operand, b: Operand, shape: TileShape, storesFours: boolean): Shader {
  const { side, depth, invocations } = shape;
  const stride = side / 4 + 1;
  return {
    key: `MatMul ${describe(a)} ${describe(b)} ${side} ${storesFours}`,
    code: () => `${bindingsOf(
      { result: storesFours ? 'vec4f' : 'f32' },
      { ...bindingOf('a', a), ...bindingOf('b', b) },
      PARAMETERS,
    )}
  ${reader('a', a)}
  ${reader('b', b)}
  var<workgroup> tile_a: array<vec4f, ${depth * stride}>;
  var<workgroup> tile_b: array<vec4f, ${depth * stride}>;
  @compute @workgroup_size(${invocations})
  fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let ty = local / ${side / 4}u;
    let tx = local % ${side / 4}u;
    let row0 = group.y * ${side}u;
    let column0 = group.x * ${side}u;
    let first_a = group.z % params.batch * params.strideA;
    let first_b = group.z % params.batch * params.strideB;
    let start = group.z / params.batch * params.innerOfPart;
    let end = min(start + params.innerOfPart, params.inner);
    var sums = array<vec4f, 4>();
    for (var k0 = start; k0 < end; k0 += ${depth}u) {
      ${load('a', a, shape, 'row0', 'params.rows')}
      ${load('b', b, shape, 'column0', 'params.columns')}
      workgroupBarrier();
      for (var k = 0u; k < min(${depth}u, end - k0); k++) {
        let left = tile_a[k * ${stride}u + ty];
        let right = tile_b[k * ${stride}u + tx];
        for (var i = 0u; i < 4u; i++) { sums[i] += left[i] * right; }
      }
      workgroupBarrier();
    }
    let column = column0 + tx * 4u;
    for (var i = 0u; i < 4u; i++) {
      let row = row0 + ty * 4u + i;
      if (row >= params.rows || column >= params.columns) { continue; }
      let at = (group.z * params.rows + row) * params.columns + column;
      ${
        storesFours
          ? 'result[at / 4u] = sums[i];'
          : 'for (var j = 0u; j < min(4u, params.columns - column); j++) { result[at + j] = sums[i][j]; }'
      }
    }
  }`,
  };
}

/** A single row and a matrix that is read row by row: a workgroup for each row of b. */
function rowShader(a: Operand, b: Operand): Shader {
  const { invocations } = SMALL;
  return {
    key: `MatMul row ${describe(a)} ${describe(b)}`,
    code: () => `${bindingsOf({ result: 'f32' }, { ...bindingOf('a', a), ...bindingOf('b', b) }, [
      'rows: u32',
      'inner: u32',
      'units: u32',
    ])}
  ${reader('a', a)}
  ${reader('b', b)}
  ${reduction('sum', 'f32', invocations)}
  ${rowMain(invocations)}
    var part = vec4f();
    for (var k = local * 4u; k < params.inner; k += ${4 * invocations}u) {
      part += read_a(0u, 0u, 1u, k, params.inner) * read_b(0u, row, params.rows, k, params.inner);
    }
    let total = sum(dot(part, vec4f(1.0)), local);
    if (local == 0u) { result[row] = total; }
  }`,
  };
}

const sumShader: Shader = {
  key: 'MatMul sum of parts',
  code: () => `${bindingsOf({ result: 'f32' }, { partial: 'f32' }, ['count: u32', 'parts: u32'])}
  ${ELEMENT_MAIN}
    if (index >= params.count) { return; }
    var sum = 0.0;
    for (var part = 0u; part < params.parts; part++) { sum += partial[part * params.count + index]; }
    result[index] = sum;
  }`,
};

/** With fewer workgroups, the sum is split among more. */
const FEW_WORKGROUPS = 64;
/** Parts of a sum have at least this many places. */
const LEAST_INNER_OF_PART = 256;

/** The product, of this shape. */
function multiply({ a, b, batch, rows, columns, inner }: Product, shape: number[]): tf.TensorInfo {
  const result = output(shape);
  const count = batch * rows * columns;
  if (count === 0) return emptied(result);
  const inputs = [...a.tensors, ...b.tensors];
  const units = u32(b.format === null ? 0 : Math.ceil((b.sumsRows ? columns : inner) / BLOCK_FORMATS[b.format].unit));
  if (batch === 1 && rows === 1 && !b.sumsRows && !a.sumsRows) {
    dispatch(rowShader(a, b), {
      outputs: [result],
      inputs,
      parameters: [u32(columns), u32(inner), units],
      workgroups: workgroupsForRows(columns),
    });
    return result;
  }
  const tilesOf = ({ side }: TileShape) => Math.ceil(rows / side) * Math.ceil(columns / side);
  const tile = tilesOf(LARGE) * batch >= FEW_WORKGROUPS ? LARGE : SMALL;
  const workgroups = tilesOf(tile) * batch;
  const most = Math.min(Math.ceil(FEW_WORKGROUPS / workgroups), Math.floor(inner / LEAST_INNER_OF_PART));
  const innerOfPart = most > 1 ? tile.depth * Math.ceil(inner / most / tile.depth) : Math.max(inner, 1);
  const parts = Math.max(1, Math.ceil(inner / innerOfPart));
  const partial = parts === 1 ? result : output([parts, batch, rows, columns]);
  dispatch(tileShader(a, b, tile, columns % 4 === 0), {
    outputs: [partial],
    inputs,
    parameters: [...[rows, columns, inner, innerOfPart, batch, a.stride, b.stride].map(u32), units],
    workgroups: [Math.ceil(columns / tile.side), Math.ceil(rows / tile.side), batch * parts],
  });
  if (parts === 1) return result;
  dispatch(sumShader, {
    outputs: [result],
    inputs: [partial],
    parameters: [u32(count), u32(parts)],
    workgroups: workgroupsFor(count),
  });
  webgpuBackend().disposeData(partial.dataId);
  return result;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function floats(tensor: tf.TensorInfo, sumsRows: boolean): Operand {
  const [rows, columns] = tensor.shape.slice(-2) as [number, number];
  const stride = sizeOf(tensor.shape.slice(0, -2)) === 1 ? 0 : rows * columns;
  return { tensors: [tensor], format: null, sumsRows, fours: columns % 4 === 0, stride };
}

/** [rows, out] */
function blockMatMul(inputs: BlockMatMulInputs, { format, columns, transposed }: BlockMatMulAttributes): tf.TensorInfo {
  const { x, codes, scales, minima } = inputs;
  const [rows, inner] = x.shape as [number, number];
  const tensors = [codes, scales, minima].filter(tensor => tensor !== undefined);
  const out = transposed ? codes.shape[0]! : columns;
  const b: Operand = { tensors, format, sumsRows: !transposed, fours: false, stride: 0 };
  return multiply({ a: floats(x, false), b, batch: 1, rows, columns: out, inner }, [rows, out]);
}

export function registerProduct(): void {
  register<BlockMatMulInputs, BlockMatMulAttributes>(BLOCK_MAT_MUL, blockMatMul);
  replace('BatchMatMul', (original, args) => {
    const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    const { transposeA, transposeB } = args.attrs as { transposeA: boolean; transposeB: boolean };
    const batches = [a, b].map(({ shape }) => sizeOf(shape.slice(0, -2)));
    const batch = Math.max(...batches);
    if (a.dtype !== 'float32' || b.dtype !== 'float32' || batches.some(size => size !== 1 && size !== batch))
      return original(args);
    const [rows, inner] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
    const columns = b.shape.at(transposeB ? -2 : -1)!;
    const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return multiply({ a: floats(a, transposeA), b: floats(b, !transposeB), batch, rows, columns, inner }, [
      ...outer,
      rows,
      columns,
    ]);
  });
}
