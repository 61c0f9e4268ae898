// Encodes blocks of 256 values in GGUF's K types: the least weighted error among candidate scales of each sub-block, as llama.cpp
// chooses them without an importance matrix, with this project's own arithmetic. Called by ggufQuantizers.ts. Layouts: ggufQuantization.ts.
import { numberToHalf, halfToNumber } from './halfFloat.js';

const BLOCK = 256;
const SUB_BLOCK = 32;
const SUB_BLOCKS = BLOCK / SUB_BLOCK;
/** Scales and minima of sub-blocks have six bits. */
const MOST_SCALE = 63;

const weights = new Float64Array(SUB_BLOCK);
const codes = new Uint8Array(BLOCK);

interface MinimumFit {
  scale: number;
  /** At most 0. */
  minimum: number;
}

/**
 * value ≈ scale · code + minimum with codes from 0 to `most`. The squared error counts as much more as a value is larger.
 * @param first what is added to `most` for the first candidate; each of the `steps` following ones has 0.1 more
 */
function fitAboveMinimum(x: Float32Array, at: number, most: number, first: number, steps: number): MinimumFit {
  let [low, high, squares] = [0, -Infinity, 0];
  for (let i = 0; i < SUB_BLOCK; i++) {
    const value = x[at + i];
    low = Math.min(low, value);
    high = Math.max(high, value);
    squares += value * value;
  }
  if (high <= low) return { scale: 0, minimum: low };
  const middle = Math.sqrt(squares / SUB_BLOCK);
  let [sumW, sumX, sumXX] = [0, 0, 0];
  for (let i = 0; i < SUB_BLOCK; i++) {
    const value = x[at + i];
    const weight = middle + Math.abs(value);
    weights[i] = weight;
    sumW += weight;
    sumX += weight * value;
    sumXX += weight * value * value;
  }
  let best: MinimumFit = { scale: (high - low) / most, minimum: low };
  let leastError = Infinity;
  for (let step = -1; step <= steps; step++) {
    const inverse = (step < 0 ? most : most + first + 0.1 * step) / (high - low);
    let [sumL, sumLL, sumXL] = [0, 0, 0];
    for (let i = 0; i < SUB_BLOCK; i++) {
      const value = x[at + i];
      const code = Math.min(most, Math.floor(inverse * (value - low) + 0.5));
      const weighted = weights[i] * code;
      sumL += weighted;
      sumLL += weighted * code;
      sumXL += weighted * value;
    }
    let { scale, minimum } = best;
    // The first candidate is the range of the values as it is.
    if (step >= 0) {
      const determinant = sumW * sumLL - sumL * sumL;
      if (determinant <= 0) continue;
      scale = (sumW * sumXL - sumX * sumL) / determinant;
      minimum = (sumLL * sumX - sumL * sumXL) / determinant;
      if (minimum > 0) [scale, minimum] = [sumXL / sumLL, 0];
    }
    const products = 2 * (scale * minimum * sumL - scale * sumXL - minimum * sumX);
    const error = scale * scale * sumLL + minimum * minimum * sumW + sumXX + products;
    if (error < leastError) {
      [leastError, best] = [error, { scale, minimum }];
      // The following candidates start from the better minimum.
      low = minimum;
    }
  }
  return best;
}

/** Scale and minimum of the block, 6-bit codes of its sub-blocks; fills `codes`. */
function encodeScales(
  x: Float32Array,
  from: number,
  bytes: Uint8Array,
  at: number,
  most: number,
  first: number,
  steps: number,
): void {
  const fits = Array.from({ length: SUB_BLOCKS }, (_, j) =>
    fitAboveMinimum(x, from + j * SUB_BLOCK, most, first, steps),
  );
  const largestScale = Math.max(...fits.map(({ scale }) => scale));
  const largestMinimum = Math.max(...fits.map(({ minimum }) => -minimum));
  const [scaleHalf, minimumHalf] = [largestScale, largestMinimum].map(value => numberToHalf(value / MOST_SCALE));
  writeHalf(bytes, at, scaleHalf);
  writeHalf(bytes, at + 2, minimumHalf);
  bytes.fill(0, at + 4, at + 16);
  const [unit, minimumUnit] = [halfToNumber(scaleHalf), halfToNumber(minimumHalf)];
  fits.forEach(({ scale, minimum }, j) => {
    const begin = from + j * SUB_BLOCK;
    const nearest = [sixBits(scale, largestScale), sixBits(-minimum, largestMinimum)] as const;
    // Rounding a scale to six bits costs more than its fit has gained: its neighbours are tried too.
    let [scaleCode, minimumCode] = nearest;
    let leastError = Infinity;
    for (const candidate of neighbours(nearest[0]))
      for (const ofMinimum of neighbours(nearest[1])) {
        const error = squaredError(x, begin, unit * candidate, minimumUnit * ofMinimum, most);
        if (error < leastError) [leastError, scaleCode, minimumCode] = [error, candidate, ofMinimum];
      }
    if (j < 4) {
      bytes[at + 4 + j] |= scaleCode;
      bytes[at + 8 + j] |= minimumCode;
    } else {
      bytes[at + 8 + j] = (scaleCode & 15) | ((minimumCode & 15) << 4);
      bytes[at + j] |= (scaleCode >> 4) << 6;
      bytes[at + 4 + j] |= (minimumCode >> 4) << 6;
    }
    const [step, offset] = [unit * scaleCode, minimumUnit * minimumCode];
    for (let i = 0; i < SUB_BLOCK; i++) codes[j * SUB_BLOCK + i] = codeOf(x[begin + i], step, offset, most);
  });
}

/** The code of value ≈ step · code - offset. */
function codeOf(value: number, step: number, offset: number, most: number): number {
  return step === 0 ? 0 : Math.max(0, Math.min(most, Math.floor((value + offset) / step + 0.5)));
}

function squaredError(x: Float32Array, at: number, step: number, offset: number, most: number): number {
  let error = 0;
  for (let i = 0; i < SUB_BLOCK; i++) {
    const difference = step * codeOf(x[at + i], step, offset, most) - offset - x[at + i];
    error += difference * difference;
  }
  return error;
}

function neighbours(code: number): number[] {
  return [code, code - 1, code + 1].filter(other => other >= 0 && other <= MOST_SCALE);
}

function sixBits(value: number, largest: number): number {
  return largest > 0 ? Math.max(0, Math.min(MOST_SCALE, Math.floor((value / largest) * MOST_SCALE + 0.5))) : 0;
}

function writeHalf(bytes: Uint8Array, at: number, half: number): void {
  bytes[at] = half & 255;
  bytes[at + 1] = half >>> 8;
}

/** Two sub-blocks share their bytes, one in the low and one in the high four bits. */
function writeFourBits(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < BLOCK / 2; i++) {
    const low = (i >> 5) * 2 * SUB_BLOCK + (i & 31);
    bytes[at + i] = (codes[low] & 15) | ((codes[low + SUB_BLOCK] & 15) << 4);
  }
}

export function encodeQ4K(x: Float32Array, from: number, bytes: Uint8Array, at: number): void {
  encodeScales(x, from, bytes, at, 15, -1, 20);
  writeFourBits(bytes, at + 16);
}

export function encodeQ5K(x: Float32Array, from: number, bytes: Uint8Array, at: number): void {
  encodeScales(x, from, bytes, at, 31, -0.5, 15);
  bytes.fill(0, at + 16, at + 48);
  for (let i = 0; i < BLOCK; i++) bytes[at + 16 + (i & 31)] |= (codes[i] >> 4) << (i >> 5);
  writeFourBits(bytes, at + 48);
}

const GROUP = 16;
const groupScales = new Float64Array(BLOCK / GROUP);

/** value ≈ scale · code with codes from -32 to 31; the error counts with the square of a value. @returns the scale */
function fitAroundZero(x: Float32Array, at: number): number {
  let largest = 0;
  for (let i = 0; i < GROUP; i++) if (Math.abs(x[at + i]) > Math.abs(largest)) largest = x[at + i];
  if (Math.abs(largest) < 1e-15) return 0;
  let [scale, best] = [0, 0];
  for (let step = -9; step <= 9; step++) {
    const inverse = -(32 + 0.1 * step) / largest;
    let [sumXL, sumLL] = [0, 0];
    for (let i = 0; i < GROUP; i++) {
      const value = x[at + i];
      const code = Math.max(-32, Math.min(31, Math.floor(inverse * value + 0.5)));
      const weighted = value * value * code;
      sumXL += weighted * value;
      sumLL += weighted * code;
    }
    // The error is the smaller, the larger sumXL² / sumLL.
    if (sumLL > 0 && sumXL * sumXL > best * sumLL) [scale, best] = [sumXL / sumLL, (sumXL * sumXL) / sumLL];
  }
  return scale;
}

export function encodeQ6K(x: Float32Array, from: number, bytes: Uint8Array, at: number): void {
  let largest = 0;
  for (let group = 0; group < groupScales.length; group++) {
    const scale = fitAroundZero(x, from + group * GROUP);
    groupScales[group] = scale;
    if (Math.abs(scale) > Math.abs(largest)) largest = scale;
  }
  bytes.fill(0, at, at + 210);
  const half = numberToHalf(largest / -128);
  writeHalf(bytes, at + 208, half);
  for (let group = 0; group < groupScales.length; group++) {
    const scaleCode = largest === 0 ? 0 : Math.min(127, Math.floor((groupScales[group] / largest) * -128 + 0.5));
    bytes[at + 192 + group] = scaleCode;
    const step = halfToNumber(half) * scaleCode;
    for (let i = 0; i < GROUP; i++) {
      const code = step === 0 ? 0 : Math.floor(x[from + group * GROUP + i] / step + 0.5);
      codes[group * GROUP + i] = 32 + Math.max(-32, Math.min(31, code));
    }
  }
  for (let i = 0; i < BLOCK; i++) {
    const [part, within, position] = [i >> 7, (i >> 5) & 3, i & 31];
    bytes[at + part * 64 + (within & 1) * 32 + position] |= (codes[i] & 15) << ((within >> 1) * 4);
    bytes[at + 128 + part * 32 + position] |= (codes[i] >> 4) << (within * 2);
  }
}
