// The transforms of ggufNames.ts between Hugging Face's and GGUF's values. Called by ggufModel.ts and the export of adapters.
// Pure: they return new arrays, or the same one if nothing changes.
import type { GgufTransform } from './ggufNames.js';

/**
 * Hugging Face's row order to llama.cpp's: in each head, row `half * d/2 + i` becomes row `2i + half`.
 * @param values [rows, columns], or [rows] with `columns` 1
 */
export function rotaryRowsToGguf(values: Float32Array, heads: number, columns: number): Float32Array {
  return permuteRows(values, heads, columns, (source, target) => [source, target]);
}

/** The reverse of {@link rotaryRowsToGguf}. */
export function rotaryRowsFromGguf(values: Float32Array, heads: number, columns: number): Float32Array {
  return permuteRows(values, heads, columns, (source, target) => [target, source]);
}

/** Hugging Face's index of a row in llama.cpp's order. */
export function rotaryRowFromGguf(row: number, headRows: number): number {
  const inHead = row % headRows;
  return row - inHead + (inHead % 2) * (headRows / 2) + Math.floor(inHead / 2);
}

function permuteRows(
  values: Float32Array,
  heads: number,
  columns: number,
  order: (huggingFace: number, gguf: number) => [from: number, to: number],
): Float32Array {
  const headRows = values.length / columns / heads;
  const result = new Float32Array(values.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headRows; row++) {
      const half = row < headRows / 2 ? 0 : 1;
      const paired = 2 * (row - (half * headRows) / 2) + half;
      const [from, to] = order(head * headRows + row, head * headRows + paired);
      result.set(values.subarray(from * columns, (from + 1) * columns), to * columns);
    }
  }
  return result;
}

/**
 * A parameter in GGUF's layout.
 * @param heads query or key heads, for their projections
 */
export function toGgufLayout(
  values: Float32Array,
  shape: readonly number[],
  transform: GgufTransform,
  heads: number,
): Float32Array {
  switch (transform) {
    case 'none':
      return values;
    case 'transpose':
      return transpose(values, shape[0], shape[1]);
    case 'rotary_q':
    case 'rotary_k':
      return rotaryRowsToGguf(values, heads, shape[1] ?? 1);
  }
}

/** [rows, columns] to [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column];
  }
  return result;
}
