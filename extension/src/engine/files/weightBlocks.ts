// A quantized matrix: rows in blocks of 32 values with a float16 scale (and minimum) each, or as bfloat16. Created from float32
// rows, or from GGUF's own blocks without loss. Arrays only; models/quantizedWeight.ts computes with them. The values are those of
// llama.cpp: int8 is Q8_0, int4 is Q4_0, int4_minimum is Q4_1.
// Layouts: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
import { roundAroundZero, roundToInt8 } from './blockRounding.js';
import { float32ToBfloat16, float32ToHalf } from './halfFloat.js';

export const BLOCK_VALUES = 32;

interface BlockFormat {
  /** Rows are padded to a multiple of this number of values. */
  unit: number;
  /** Bytes of the codes of a unit. */
  codeBytes: number;
  /** Number of float16 values per unit: scale, minimum. */
  parts: number;
}

/**
 * - bfloat16: value by value.
 * - int8: scale x signed code.
 * - int4: scale x signed code of 4 bits, value i of a block in the low half of byte i, value i + 16 in the high one.
 * - int4_minimum: scale x unsigned code of 4 bits + minimum, in the same order.
 */
export const BLOCK_FORMATS = {
  bfloat16: { unit: 2, codeBytes: 4, parts: 0 },
  int8: { unit: BLOCK_VALUES, codeBytes: 32, parts: 1 },
  int4: { unit: BLOCK_VALUES, codeBytes: 16, parts: 1 },
  int4_minimum: { unit: BLOCK_VALUES, codeBytes: 16, parts: 2 },
} as const satisfies Record<string, BlockFormat>;

export type BlockFormatName = keyof typeof BLOCK_FORMATS;

/** Shapes of the arrays of a matrix, in 32-bit words. The float16 values of a row are padded to whole words. */
export interface BlockShapes {
  /** [rows, units, words of a unit] */
  codes: [number, number, number];
  /** [rows, words]; one for the scales and one for the minima, if the format has them. */
  parts: [number, number][];
}

export function blockShapes(format: BlockFormatName, [rows, columns]: readonly [number, number]): BlockShapes {
  const { unit, codeBytes, parts } = BLOCK_FORMATS[format];
  const units = Math.ceil(columns / unit);
  return {
    codes: [rows, units, codeBytes / 4],
    parts: Array.from({ length: parts }, () => [rows, Math.ceil(units / 2)]),
  };
}

/** Bytes of a matrix. */
export function blockBytes(format: BlockFormatName, shape: readonly [number, number]): number {
  const { codes, parts } = blockShapes(format, shape);
  return 4 * [codes, ...parts].reduce((sum, sizes) => sum + sizes.reduce((product, size) => product * size, 1), 0);
}

export class WeightBlocks {
  readonly shapes: BlockShapes;
  readonly codes: Int32Array;
  readonly parts: Int32Array[];
  private readonly units: number;

  constructor(
    readonly format: BlockFormatName,
    readonly shape: readonly [rows: number, columns: number],
  ) {
    this.shapes = blockShapes(format, shape);
    this.units = this.shapes.codes[1];
    this.codes = new Int32Array(this.units * this.shapes.codes[2] * shape[0]);
    this.parts = this.shapes.parts.map(([rows, words]) => new Int32Array(rows * words));
  }

  /** Quantizes whole rows of float32 values like llama.cpp's reference implementation. */
  quantizeRows(first: number, values: Float32Array): void {
    const [, columns] = this.shape;
    const rows = values.length / columns;
    const { format, units } = this;
    if (format === 'bfloat16') {
      const target = new Uint16Array(this.codes.buffer);
      const rounded = float32ToBfloat16(values);
      for (let row = 0; row < rows; row++)
        target.set(rounded.subarray(row * columns, (row + 1) * columns), (first + row) * units * 2);
      return;
    }
    if (format === 'int4_minimum') throw new Error('int4_minimum can only be created from GGUF blocks');
    const bytes = new Int8Array(this.codes.buffer);
    const scales = new Float32Array(rows * units);
    const quantize: QuantizeBlock = format === 'int8' ? roundToInt8 : roundToInt4;
    const { codeBytes } = BLOCK_FORMATS[format];
    for (let row = 0; row < rows; row++)
      for (let unit = 0; unit < units; unit++) {
        const begin = row * columns + unit * BLOCK_VALUES;
        const end = Math.min(begin + BLOCK_VALUES, (row + 1) * columns);
        const at = ((first + row) * units + unit) * codeBytes;
        scales[row * units + unit] = quantize(values, begin, end, bytes, at);
      }
    const halves = float32ToHalf(scales);
    for (let row = 0; row < rows; row++)
      this.partsOfRow(0, first + row).set(halves.subarray(row * units).subarray(0, units));
  }

  /** Copies a row of GGUF's Q8_0, Q4_0 or Q4_1 blocks. The width of the matrix must be a whole number of blocks. */
  takeGgufRow(row: number, blocks: Uint8Array): void {
    const { format, units } = this;
    const { codeBytes, parts } = BLOCK_FORMATS[format];
    const bytes = new Uint8Array(this.codes.buffer);
    const numbers = this.parts.map((_, part) => this.partsOfRow(part, row));
    // Offset codes 0 to 15 become two's complement -8 to 7.
    const flip = format === 'int4' ? 0x88 : 0;
    for (let unit = 0, from = 0; unit < units; unit++, from += 2 * parts + codeBytes) {
      for (let part = 0; part < parts; part++)
        numbers[part]![unit] = blocks[from + 2 * part]! | (blocks[from + 2 * part + 1]! << 8);
      const source = from + 2 * parts;
      const target = (row * units + unit) * codeBytes;
      for (let i = 0; i < codeBytes; i++) bytes[target + i] = blocks[source + i]! ^ flip;
    }
  }

  /** The float16 values of a row as bit patterns. */
  private partsOfRow(part: number, row: number): Uint16Array {
    const words = this.shapes.parts[part]![1];
    return new Uint16Array(this.parts[part]!.buffer, 4 * words * row, this.units);
  }
}

/** Writes the codes of values[begin, end) and returns their scale, not yet rounded to float16. */
type QuantizeBlock = (values: Float32Array, begin: number, end: number, bytes: Int8Array, at: number) => number;

const codes = new Uint8Array(BLOCK_VALUES);

const roundToInt4: QuantizeBlock = (values, begin, end, bytes, at) => {
  // A shorter last block is filled up with zeros, which have code 8.
  codes.fill(8);
  const scale = roundAroundZero(values, begin, end, 8, codes);
  // Offset codes 0 to 15 become two's complement -8 to 7.
  for (let i = 0; i < BLOCK_VALUES / 2; i++) bytes[at + i] = (codes[i]! | (codes[i + BLOCK_VALUES / 2]! << 4)) ^ 0x88;
  return scale;
};
