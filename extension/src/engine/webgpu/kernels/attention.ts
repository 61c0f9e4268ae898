// Attention with grouped heads, softmax(scale q kᵀ + bias) v, and its gradient, tile by tile: no [seq, keys] matrix is ever in memory
// (FlashAttention-2, arXiv:2307.08691). The softmax is computed online; its logarithm of sums is kept for the gradient, which computes the
// probabilities again. A workgroup computes 32 queries, of all heads that share keys, or 32 keys' gradients, over tiles of 32 of the
// others; tiles that are masked throughout are skipped. With few queries (decoding) the keys are split among workgroups, and the parts
// joined by their logarithms of sums (Flash-Decoding, https://pytorch.org/blog/flash-decoding/). Sums are in a fixed order.
import * as tf from '@tensorflow/tfjs-core';
import { bindingsOf, dispatch, emptied, f32, output, u32, type Parameter, type Shader } from '../shader.js';
import { webgpuBackend } from '../tfjsWebgpu.js';
import { register } from './register.js';
import { reduction, rowMain, workgroupsForRows } from './rows.js';

export const ATTENTION = 'Attention';
export const ATTENTION_GRADIENT = 'AttentionGradient';

export interface AttentionInputs {
  /** [batch, heads, seq, headDim] */
  q: tf.Tensor;
  /** [batch, kvHeads, keys, headDim], like `v` */
  k: tf.Tensor;
  v: tf.Tensor;
  /** [batch or 1, 1, 1, seq, keys] */
  bias: tf.Tensor;
}

export interface AttentionGradientInputs extends AttentionInputs {
  /** The results of the forward pass. */
  value: tf.Tensor;
  logSums: tf.Tensor;
  dy: tf.Tensor;
}

export interface AttentionAttributes {
  scale: number;
}

/** Queries, or keys, of a tile. */
const TILE = 32;
/** Invocations: 8 x 8 (ty, tx), each with the scores of rows 4 ty to 4 ty + 3 and of every eighth column from tx on. */
const INVOCATIONS = 64;
/** Vectors of four between the rows of a tile in workgroup memory; 9 instead of 8 avoids bank conflicts. */
const STRIDE = 9;

const PARAMETERS = [
  ...['rows', 'seq', 'keys', 'kvHeads', 'batch', 'headDim', 'biasStride', 'keysOfPart', 'tiles'].map(
    name => `${name}: u32`,
  ),
  'scale: f32',
];

/** Widths of a head are rounded up to whole tiles, of which a shader has a fixed number. */
interface HeadShape {
  chunks: number;
  /** Whether a head's width is divisible by 4, so that arrays are read four values at a time. */
  fours: boolean;
}

function shapeOf(headDim: number): HeadShape {
  return { chunks: Math.ceil(headDim / TILE), fours: headDim % 4 === 0 };
}

const nameOf = ({ chunks, fours }: HeadShape) => `${chunks}${fours ? ' fours' : ''}`;

const typeFor = ({ fours }: HeadShape) => (fours ? 'vec4f' : 'f32');

/** Four columns of a row, from `column` on, which is divisible by 4; zeros beyond the row or the matrix. */
function loader(name: string, { fours }: HeadShape): string {
  return `fn load_${name}(first: u32, row: u32, count: u32, column: u32) -> vec4f {
    let isIn = row < count && column < params.headDim;
    let at = select(0u, (first + row) * params.headDim + column, isIn);
    ${
      fours
        ? `return select(vec4f(), ${name}[at / 4u], isIn);`
        : `var values = vec4f();
    for (var i = 0u; i < 4u; i++) { values[i] = select(0.0, ${name}[at + i], isIn && column + i < params.headDim); }
    return values;`
    }
  }`;
}

function storer(name: string, { fours }: HeadShape): string {
  return `fn store_${name}(row: u32, column: u32, values: vec4f) {
    let at = row * params.headDim + column;
    ${
      fours
        ? `if (column < params.headDim) { ${name}[at / 4u] = values; }`
        : `for (var i = 0u; i < 4u; i++) { if (column + i < params.headDim) { ${name}[at + i] = values[i]; } }`
    }
  }`;
}

/** The rows of a tile: the array's name, the row that its matrix begins with, the tile's first row and the matrix's number of them. */
type Rows = readonly [name: string, first: string, start: string, count: string];

/** Loads 32 columns, from `column` on, of the rows of a tile. */
const load = (tile: string, [name, first, start, count]: Rows, column: string) =>
  `for (var item = local; item < ${(TILE * TILE) / 4}u; item += ${INVOCATIONS}u) {
        let row = item / 8u;
        ${tile}[row * ${STRIDE}u + item % 8u] = load_${name}(${first}, ${start} + row, ${count}, ${column} + (item % 8u) * 4u);
      }`;

/**
 * Sets `into` to the products of the invocation's four rows of `a` and four of `b`. An array that is declared in a loop
 * without a value keeps that of the last pass (Dawn 0.6.2 on SwiftShader), so it gets one.
 */
const products = (a: Rows, b: Rows, into: string) => `
    var ${into} = array<vec4f, 4>();
    for (var column = 0u; column < params.headDim; column += ${TILE}u) {
      ${load('tileA', a, 'column')}
      ${load('tileB', b, 'column')}
      workgroupBarrier();
      for (var d = 0u; d < min(8u, (params.headDim - column + 3u) / 4u); d++) {
        let b = mat4x4f(tileB[tx * ${STRIDE}u + d], tileB[(tx + 8u) * ${STRIDE}u + d], tileB[(tx + 16u) * ${STRIDE}u + d], tileB[(tx + 24u) * ${STRIDE}u + d]);
        for (var i = 0u; i < 4u; i++) { ${into}[i] += tileA[(ty * 4u + i) * ${STRIDE}u + d] * b; }
      }
      workgroupBarrier();
    }`;

/** Adds to `into` the sums of rows of `b`, weighted with the invocations' 4 x 4 numbers `weight`. */
const weighted = (into: string, weight: string, b: Rows, { chunks }: HeadShape) => `
    for (var j = 0u; j < 4u; j++) {
      weights[(tx + 8u * j) * ${STRIDE}u + ty] = vec4f(${weight}[0][j], ${weight}[1][j], ${weight}[2][j], ${weight}[3][j]);
    }
    for (var chunk = 0u; chunk < ${chunks}u; chunk++) {
      ${load('tileA', b, `chunk * ${TILE}u`)}
      workgroupBarrier();
      for (var row = 0u; row < ${TILE}u; row++) {
        let weight = weights[row * ${STRIDE}u + ty];
        let values = tileA[row * ${STRIDE}u + tx];
        for (var i = 0u; i < 4u; i++) { ${into}[chunk][i] += weight[i] * values; }
      }
      workgroupBarrier();
    }`;

/**
 * Sets `scores` to the bias of the tile, and goes on with the next tile if all of it is masked.
 * @param row of score i, j; `key` the same
 */
const biasOfTile = (row: string, key: string) => `
    var scores = array<vec4f, 4>();
    var highestBias = -3e38;
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < 4u; j++) {
        let row = ${row};
        let key = ${key};
        let isIn = row < params.rows && key < end;
        let place = select(0u, group.z * params.biasStride + (row % params.seq) * params.keys + key, isIn);
        scores[i][j] = select(-3e38, bias[place], isIn);
        highestBias = max(highestBias, scores[i][j]);
      }
    }
    if (local == 0u) { isVisible = 0u; }
    workgroupBarrier();
    if (highestBias > -5e8) { isVisible = 1u; }
    if (workgroupUniformLoad(&isVisible) == 0u) { continue; }`;

/** What all shaders have: memory, the functions that read and write, and the beginning of main. */
function common(loaded: readonly string[], stored: readonly string[], shape: HeadShape): string {
  return `${loaded.map(name => loader(name, shape)).join('\n')}
  ${stored.map(name => storer(name, shape)).join('\n')}
  var<workgroup> tileA: array<vec4f, ${TILE * STRIDE}>;
  var<workgroup> tileB: array<vec4f, ${TILE * STRIDE}>;
  var<workgroup> weights: array<vec4f, ${TILE * STRIDE}>;
  var<workgroup> isVisible: u32;
  @compute @workgroup_size(${INVOCATIONS})
  fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let ty = local / 8u;
    let tx = local % 8u;
    // Rows are the queries of all heads of a group, one after the other.
    let firstRow = (group.z * params.kvHeads + group.y) * params.rows;
    let firstKey = (group.z * params.kvHeads + group.y) * params.keys;`;
}

const sumsOf = (name: string, { chunks }: HeadShape) => `var ${name}: array<array<vec4f, 4>, ${chunks}>;`;

/** Group x is a tile of queries in a part of the keys; y a head of keys, z a sequence. Value and logSums have a first dimension of parts. */
const forwardShader = (shape: HeadShape): Shader => ({
  key: `${ATTENTION} ${nameOf(shape)}`,
  code: () => {
    const wide = typeFor(shape);
    return `${bindingsOf({ value: wide, logSums: 'f32' }, { q: wide, k: wide, v: wide, bias: 'f32' }, PARAMETERS)}
  var<workgroup> ofRows: array<vec4f, ${INVOCATIONS}>;
  ${common(['q', 'k', 'v'], ['value'], shape)}
    let part = group.x / params.tiles;
    let row0 = (group.x % params.tiles) * ${TILE}u;
    let start = part * params.keysOfPart;
    let end = min(start + params.keysOfPart, params.keys);
    ${sumsOf('sums', shape)}
    var highest = vec4f(-3e38);
    var total = vec4f();
    for (var key0 = start; key0 < end; key0 += ${TILE}u) {
      ${biasOfTile('row0 + ty * 4u + i', 'key0 + tx + 8u * j')}
      ${products(['q', 'firstRow', 'row0', 'params.rows'], ['k', 'firstKey', 'key0', 'end'], 'x')}
      var part = vec4f();
      for (var i = 0u; i < 4u; i++) {
        scores[i] += x[i] * params.scale;
        part[i] = max(max(scores[i].x, scores[i].y), max(scores[i].z, scores[i].w));
      }
      ofRows[local] = part;
      workgroupBarrier();
      var newHighest = highest;
      for (var other = 0u; other < 8u; other++) { newHighest = max(newHighest, ofRows[ty * 8u + other]); }
      let kept = exp(highest - newHighest);
      highest = newHighest;
      total *= kept;
      for (var i = 0u; i < 4u; i++) {
        scores[i] = exp(scores[i] - highest[i]);
        total[i] += dot(scores[i], vec4f(1.0));
        for (var chunk = 0u; chunk < ${shape.chunks}u; chunk++) { sums[chunk][i] *= kept[i]; }
      }
      ${weighted('sums', 'scores', ['v', 'firstKey', 'key0', 'end'], shape)}
    }
    ofRows[local] = total;
    workgroupBarrier();
    total = vec4f();
    for (var other = 0u; other < 8u; other++) { total += ofRows[ty * 8u + other]; }
    let firstResult = part * (params.rows * params.kvHeads * params.batch) + firstRow;
    for (var i = 0u; i < 4u; i++) {
      let row = row0 + ty * 4u + i;
      if (row >= params.rows) { continue; }
      // A row without a visible key is zero, and has no gradient; in a part, no weight.
      let seen = total[i] > 0.0;
      let factor = select(0.0, 1.0 / total[i], seen);
      for (var chunk = 0u; chunk < ${shape.chunks}u; chunk++) {
        store_value(firstResult + row, chunk * ${TILE}u + tx * 4u, sums[chunk][i] * factor);
      }
      if (tx == 0u) { logSums[firstResult + row] = select(-3e38, highest[i] + log(total[i]), seen); }
    }
  }`;
  },
});

/** Joins the parts of each row. */
const joinShader: Shader = {
  key: `${ATTENTION} join`,
  code: () => `${bindingsOf({ value: 'f32', logSums: 'f32' }, { partValues: 'f32', partLogSums: 'f32' }, [
    'rows: u32',
    'headDim: u32',
    'parts: u32',
  ])}
  ${rowMain(INVOCATIONS)}
    var highest = -3e38;
    for (var part = 0u; part < params.parts; part++) { highest = max(highest, partLogSums[part * params.rows + row]); }
    var total = 0.0;
    for (var part = 0u; part < params.parts; part++) { total += exp(partLogSums[part * params.rows + row] - highest); }
    let logSum = highest + log(total);
    for (var column = local; column < params.headDim; column += ${INVOCATIONS}u) {
      var sum = 0.0;
      for (var part = 0u; part < params.parts; part++) {
        let at = part * params.rows + row;
        sum += exp(partLogSums[at] - logSum) * partValues[at * params.headDim + column];
      }
      value[row * params.headDim + column] = sum;
    }
    if (local == 0u) { logSums[row] = logSum; }
  }`,
};

/** Of each row, its logarithm of sums and the sum of dy value, which is that of the probabilities' gradients times them; [rows, 2] */
const rowsShader: Shader = {
  key: `${ATTENTION_GRADIENT} rows`,
  code: () => `${bindingsOf({ ofRows: 'vec2f' }, { value: 'f32', dy: 'f32', logSums: 'f32' }, ['rows: u32', 'headDim: u32'])}
  ${reduction('sum', 'f32', INVOCATIONS)}
  ${rowMain(INVOCATIONS)}
    var part = 0.0;
    for (var column = local; column < params.headDim; column += ${INVOCATIONS}u) {
      part += value[row * params.headDim + column] * dy[row * params.headDim + column];
    }
    let total = sum(part, local);
    // A row without a visible key has probabilities of zero.
    if (local == 0u) { ofRows[row] = vec2f(select(logSums[row], 3e38, logSums[row] < -2e38), total); }
  }`,
};

const ROW_VALUES = `fn valuesOfRow(first: u32, row: u32) -> vec2f {
    let isIn = row < params.rows;
    return select(vec2f(), ofRows[select(0u, first + row, isIn)], isIn);
  }`;

/** Group x is a tile of queries. */
const queryGradientShader = (shape: HeadShape): Shader => ({
  key: `${ATTENTION_GRADIENT} queries ${nameOf(shape)}`,
  code: () => {
    const wide = typeFor(shape);
    const inputs = { q: wide, k: wide, v: wide, bias: 'f32', dy: wide, ofRows: 'vec2f' };
    return `${bindingsOf({ dQ: wide }, inputs, PARAMETERS)}
  ${ROW_VALUES}
  ${common(['q', 'k', 'v', 'dy'], ['dQ'], shape)}
    let row0 = group.x * ${TILE}u;
    let end = params.keys;
    ${sumsOf('sums', shape)}
    for (var key0 = 0u; key0 < end; key0 += ${TILE}u) {
      ${biasOfTile('row0 + ty * 4u + i', 'key0 + tx + 8u * j')}
      ${products(['q', 'firstRow', 'row0', 'params.rows'], ['k', 'firstKey', 'key0', 'end'], 'x')}
      ${products(['dy', 'firstRow', 'row0', 'params.rows'], ['v', 'firstKey', 'key0', 'end'], 'y')}
      for (var i = 0u; i < 4u; i++) {
        let own = valuesOfRow(firstRow, row0 + ty * 4u + i);
        scores[i] = exp(scores[i] + x[i] * params.scale - own.x) * (y[i] - own.y);
      }
      ${weighted('sums', 'scores', ['k', 'firstKey', 'key0', 'end'], shape)}
    }
    for (var i = 0u; i < 4u; i++) {
      let row = row0 + ty * 4u + i;
      if (row >= params.rows) { continue; }
      for (var chunk = 0u; chunk < ${shape.chunks}u; chunk++) {
        store_dQ(firstRow + row, chunk * ${TILE}u + tx * 4u, sums[chunk][i] * params.scale);
      }
    }
  }`;
  },
});

/** Group x is a tile of keys. */
const keyGradientShader = (shape: HeadShape): Shader => ({
  key: `${ATTENTION_GRADIENT} keys ${nameOf(shape)}`,
  code: () => {
    const wide = typeFor(shape);
    const inputs = { q: wide, k: wide, v: wide, bias: 'f32', dy: wide, ofRows: 'vec2f' };
    return `${bindingsOf({ dK: wide, dV: wide }, inputs, PARAMETERS)}
  ${ROW_VALUES}
  ${common(['q', 'k', 'v', 'dy'], ['dK', 'dV'], shape)}
    let key0 = group.x * ${TILE}u;
    let end = params.keys;
    ${sumsOf('sumsK', shape)}
    ${sumsOf('sumsV', shape)}
    for (var row0 = 0u; row0 < params.rows; row0 += ${TILE}u) {
      ${biasOfTile('row0 + tx + 8u * j', 'key0 + ty * 4u + i')}
      ${products(['k', 'firstKey', 'key0', 'end'], ['q', 'firstRow', 'row0', 'params.rows'], 'x')}
      ${products(['v', 'firstKey', 'key0', 'end'], ['dy', 'firstRow', 'row0', 'params.rows'], 'y')}
      for (var j = 0u; j < 4u; j++) {
        let own = valuesOfRow(firstRow, row0 + tx + 8u * j);
        for (var i = 0u; i < 4u; i++) {
          scores[i][j] = exp(scores[i][j] + x[i][j] * params.scale - own.x);
          y[i][j] = scores[i][j] * (y[i][j] - own.y);
        }
      }
      ${weighted('sumsV', 'scores', ['dy', 'firstRow', 'row0', 'params.rows'], shape)}
      ${weighted('sumsK', 'y', ['q', 'firstRow', 'row0', 'params.rows'], shape)}
    }
    for (var i = 0u; i < 4u; i++) {
      let key = key0 + ty * 4u + i;
      if (key >= params.keys) { continue; }
      for (var chunk = 0u; chunk < ${shape.chunks}u; chunk++) {
        store_dK(firstKey + key, chunk * ${TILE}u + tx * 4u, sumsK[chunk][i] * params.scale);
        store_dV(firstKey + key, chunk * ${TILE}u + tx * 4u, sumsV[chunk][i]);
      }
    }
  }`;
  },
});

/** Below this number of workgroups, the keys are split among more. */
const FEW_WORKGROUPS = 64;
/** Fewer keys than this aren't split. */
const LEAST_KEYS_OF_PART = 128;

interface Sizes {
  batch: number;
  kvHeads: number;
  /** Queries of all heads of a group. */
  rows: number;
  keys: number;
  headDim: number;
  /** Of queries. */
  tiles: number;
}

function sizesOf({ q, k }: AttentionInputs): Sizes {
  const [batch, heads, seq, headDim] = q.shape as [number, number, number, number];
  const [, kvHeads, keys] = k.shape as [number, number, number, number];
  const rows = (heads / kvHeads) * seq;
  return { batch, kvHeads, rows, keys, headDim, tiles: Math.ceil(rows / TILE) };
}

function parametersOf({ q, bias }: AttentionInputs, sizes: Sizes, keysOfPart: number, scale: number): Parameter[] {
  const { batch, kvHeads, rows, keys, headDim, tiles } = sizes;
  const seq = q.shape[2]!;
  const biasStride = bias.shape[0] === 1 ? 0 : seq * keys;
  return [...[rows, seq, keys, kvHeads, batch, headDim, biasStride, keysOfPart, tiles].map(u32), f32(scale)];
}

/** The value, of q's shape, and the logarithm of each row's sum of exponents, [batch, heads, seq]. */
function attention(inputs: AttentionInputs, { scale }: AttentionAttributes): tf.TensorInfo[] {
  const { q, k, v, bias } = inputs;
  const sizes = sizesOf(inputs);
  const { batch, kvHeads, rows, keys, headDim, tiles } = sizes;
  const value = output(q.shape);
  const logSums = output(q.shape.slice(0, 3));
  if (tf.util.sizeFromShape(q.shape) === 0) return [value, logSums].map(emptied);
  const most = Math.min(
    Math.max(1, Math.floor(keys / LEAST_KEYS_OF_PART)),
    Math.ceil(FEW_WORKGROUPS / (tiles * kvHeads * batch)),
  );
  const keysOfPart = TILE * Math.ceil(keys / most / TILE);
  const parts = Math.ceil(keys / keysOfPart);
  const ofParts = parts === 1 ? [value, logSums] : [output([parts, ...q.shape]), output([parts, ...logSums.shape])];
  dispatch(forwardShader(shapeOf(headDim)), {
    outputs: ofParts,
    inputs: [q, k, v, bias],
    parameters: parametersOf(inputs, sizes, keysOfPart, scale),
    workgroups: [tiles * parts, kvHeads, batch],
  });
  if (parts === 1) return ofParts;
  const all = rows * kvHeads * batch;
  dispatch(joinShader, {
    outputs: [value, logSums],
    inputs: ofParts,
    parameters: [u32(all), u32(headDim), u32(parts)],
    workgroups: workgroupsForRows(all),
  });
  for (const { dataId } of ofParts) webgpuBackend().disposeData(dataId);
  return [value, logSums];
}

/** The gradients of q, k and v. */
function attentionGradient(inputs: AttentionGradientInputs, { scale }: AttentionAttributes): tf.TensorInfo[] {
  const { q, k, v, bias, value, logSums, dy } = inputs;
  const sizes = sizesOf(inputs);
  const { batch, kvHeads, rows, keys, headDim, tiles } = sizes;
  const gradients = [q, k, v].map(({ shape }) => output(shape));
  if (tf.util.sizeFromShape(q.shape) === 0) return gradients.map(emptied);
  const all = rows * kvHeads * batch;
  const ofRows = output([all, 2]);
  dispatch(rowsShader, {
    outputs: [ofRows],
    inputs: [value, dy, logSums],
    parameters: [u32(all), u32(headDim)],
    workgroups: workgroupsForRows(all),
  });
  const parameters = parametersOf(inputs, sizes, keys, scale);
  const [dQ, dK, dV] = gradients;
  const read = [q, k, v, bias, dy, ofRows];
  dispatch(queryGradientShader(shapeOf(headDim)), {
    outputs: [dQ!],
    inputs: read,
    parameters,
    workgroups: [tiles, kvHeads, batch],
  });
  dispatch(keyGradientShader(shapeOf(headDim)), {
    outputs: [dK!, dV!],
    inputs: read,
    parameters,
    workgroups: [Math.ceil(keys / TILE), kvHeads, batch],
  });
  webgpuBackend().disposeData(ofRows.dataId);
  return gradients;
}

export function registerAttention(): void {
  register<AttentionInputs, AttentionAttributes>(ATTENTION, attention);
  register<AttentionGradientInputs, AttentionAttributes>(ATTENTION_GRADIENT, attentionGradient);
}
