// Encodes float32 rows in GGUF's types: the values of Python's `gguf`, bit for bit, which has no K types (kQuantizers.ts). Called when a model is written as GGUF. A value
// that the type can't hold is an error, never an infinite weight.
import type { ErrorDetails, Place } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { checkFinite, nonFiniteError } from './finiteValues.js';
import { roundAboveMinimum, roundAroundZero, roundToInt8 } from './blockRounding.js';
import { quantizations } from './ggufQuantization.js';
import { float32ToBfloat16, float32ToHalf, numberToHalf } from './halfFloat.js';
import { encodeQ4K, encodeQ5K, encodeQ6K } from './kQuantizers.js';
import { plainDtypes } from './plainDtype.js';

/** Encodes the block of values from `from` on into the bytes from `at` on. */
type BlockEncoder = (values: Float32Array, from: number, bytes: Uint8Array, at: number) => void;

const BLOCK = 32;
const codes = new Uint8Array(BLOCK);

function writeHalf(bytes: Uint8Array, at: number, value: number): void {
  const half = numberToHalf(value);
  bytes[at] = half & 255;
  bytes[at + 1] = half >>> 8;
}

/** The low four bits of value i and i + 16 share byte i. */
function writeNibbles(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < BLOCK / 2; i++) bytes[at + i] = (codes[i]! & 15) | ((codes[i + BLOCK / 2]! & 15) << 4);
}

/** Bit i of four bytes is the fifth bit of value i. */
function writeFifthBits(bytes: Uint8Array, at: number): void {
  bytes.fill(0, at, at + 4);
  for (let i = 0; i < BLOCK; i++) bytes[at + (i >> 3)]! |= (codes[i]! >> 4) << (i & 7);
}

const blockEncoders: Readonly<Record<string, BlockEncoder>> = {
  Q8_0: (values, from, bytes, at) => {
    const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    writeHalf(bytes, at, roundToInt8(values, from, from + BLOCK, signed, at + 2));
  },
  Q4_0: (values, from, bytes, at) => {
    writeHalf(bytes, at, roundAroundZero(values, from, from + BLOCK, 8, codes));
    writeNibbles(bytes, at + 2);
  },
  Q5_0: (values, from, bytes, at) => {
    writeHalf(bytes, at, roundAroundZero(values, from, from + BLOCK, 16, codes));
    writeFifthBits(bytes, at + 2);
    writeNibbles(bytes, at + 6);
  },
  Q4_1: (values, from, bytes, at) => {
    writeMinimum(bytes, at, roundAboveMinimum(values, from, from + BLOCK, 15, codes));
    writeNibbles(bytes, at + 4);
  },
  Q5_1: (values, from, bytes, at) => {
    writeMinimum(bytes, at, roundAboveMinimum(values, from, from + BLOCK, 31, codes));
    writeFifthBits(bytes, at + 4);
    writeNibbles(bytes, at + 8);
  },
  Q4_K: encodeQ4K,
  Q5_K: encodeQ5K,
  Q6_K: encodeQ6K,
};

function writeMinimum(bytes: Uint8Array, at: number, { scale, minimum }: { scale: number; minimum: number }): void {
  writeHalf(bytes, at, scale);
  writeHalf(bytes, at + 2, minimum);
}

/** GGUF's names of the types that can be written. */
export const WRITTEN_TYPES: readonly string[] = ['F32', 'F16', 'BF16', ...Object.keys(blockEncoders)];

/** Whether rows of `columns` values can be stored in the type. */
export function fitsRows(type: string, columns: number): boolean {
  return columns % (quantizations[type]?.blockValues ?? 1) === 0;
}

/** Of a block of a quantized type, or of a value. */
export function blockBytesOf(type: string): number {
  return quantizations[type]?.blockBytes ?? plainDtypes[type]!.bytes;
}

/** Bytes of `count` values, which are whole rows. */
export function encodedBytes(type: string, count: number): number {
  return (count / (quantizations[type]?.blockValues ?? 1)) * blockBytesOf(type);
}

/**
 * Encodes whole rows.
 * @param place the tensor, for messages
 * @throws InputError on a value that isn't finite, or that would be infinite in the type
 */
export function encodeRows(type: string, values: Float32Array, place: Place): Uint8Array {
  const largest = checkFinite(values, place);
  const encoded = encode(type, values);
  if (!holds(type, encoded)) throw new OutOfRangeError(type, largest, place);
  return encoded;
}

/** @param encoded whole blocks of a file. @throws InputError if a scale or value is infinite or NaN */
export function checkEncoded(type: string, encoded: Uint8Array, place: Place): void {
  if (!holds(type, encoded)) throw nonFiniteError(place);
}

/** A type can't hold a value. What was to be written knows how another type is chosen (export/exportAdvice.ts). */
export class OutOfRangeError extends InputError {
  constructor(
    readonly type: string,
    readonly largest: number,
    details: ErrorDetails,
  ) {
    super(`the value ${largest} is too large for ${type}`, { hint: 'BF16 and F32 hold it.', ...details });
  }
}

function encode(type: string, values: Float32Array): Uint8Array {
  if (type === 'F32') return bytesOf(values);
  if (type === 'F16') return bytesOf(float32ToHalf(values));
  if (type === 'BF16') return bytesOf(float32ToBfloat16(values));
  const { blockValues, blockBytes } = quantizations[type]!;
  const bytes = new Uint8Array(encodedBytes(type, values.length));
  const encodeBlock = blockEncoders[type]!;
  for (let from = 0, at = 0; from < values.length; from += blockValues, at += blockBytes)
    encodeBlock(values, from, bytes, at);
  return bytes;
}

/** Exponent bits that are all ones mean infinite or NaN. They are in the upper two bytes of a number. */
const INFINITE: Readonly<Record<string, number>> = { F16: 0x7c00, BF16: 0x7f80, F32: 0x7f80, F64: 0x7ff0 };

/** Where float16 scales and minima are in a block, if not at its beginning alone. */
const SCALES: Readonly<Record<string, readonly number[]>> = {
  Q4_1: [0, 2],
  Q5_1: [0, 2],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  F32: [2],
  F64: [6],
};

/** Whether all scales, or all values of a type without any, are finite. */
function holds(type: string, encoded: Uint8Array): boolean {
  const infinite = INFINITE[quantizations[type] ? 'F16' : type];
  // A whole number.
  if (infinite === undefined) return true;
  const step = blockBytesOf(type);
  for (const scale of SCALES[type] ?? [0])
    for (let at = scale; at < encoded.length; at += step)
      if (((encoded[at]! | (encoded[at + 1]! << 8)) & infinite) === infinite) return false;
  return true;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
