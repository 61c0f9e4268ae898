// Rounds a block of float32 values to integer codes and a scale, with the arithmetic of llama.cpp's reference in float32 (that of
// gguf-py). Called by weightBlocks.ts for matrices in memory and by ggufQuantizers.ts for files. Scales aren't rounded to float16 yet.

/** 1 / scale in float32. A scale whose inverse overflows is 0 as a float16, and so is every value of its block. */
function inverseOf(scale: number): number {
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
  return Number.isFinite(inverse) ? inverse : 0;
}

/**
 * value ≈ scale · code with codes from -127 to 127, ties away from zero: Q8_0.
 * @returns the scale
 */
export function roundToInt8(values: Float32Array, begin: number, end: number, codes: Int8Array, at: number): number {
  let largest = 0;
  for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(values[i]!));
  const scale = Math.fround(largest / 127);
  const inverse = inverseOf(scale);
  for (let i = begin; i < end; i++) {
    const x = Math.fround(values[i]! * inverse);
    codes[at + i - begin] = x < 0 ? -Math.floor(0.5 - x) : Math.floor(x + 0.5);
  }
  return scale;
}

/**
 * value ≈ scale · (code - half) with codes from 0 to 2 · half - 1; the value with the largest magnitude has code 0. Q4_0 (half 8), Q5_0
 * (half 16).
 * @returns the scale
 */
export function roundAroundZero(
  values: Float32Array,
  begin: number,
  end: number,
  half: number,
  codes: Uint8Array,
): number {
  let largest = values[begin];
  for (let i = begin; i < end; i++) if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!;
  const scale = Math.fround(largest / -half);
  const inverse = inverseOf(scale);
  for (let i = begin; i < end; i++) {
    const x = Math.fround(Math.fround(values[i]! * inverse) + (half + 0.5));
    codes[i - begin] = Math.min(2 * half - 1, Math.floor(x));
  }
  return scale;
}

/**
 * value ≈ scale · code + minimum with codes from 0 to `most`: Q4_1 (15), Q5_1 (31).
 * @returns the scale, infinite if the range of the values is too large for a float32
 */
export function roundAboveMinimum(
  values: Float32Array,
  begin: number,
  end: number,
  most: number,
  codes: Uint8Array,
): { scale: number; minimum: number } {
  let [minimum, maximum] = [values[begin]!, values[begin]!];
  for (let i = begin; i < end; i++) {
    minimum = Math.min(minimum, values[i]!);
    maximum = Math.max(maximum, values[i]!);
  }
  const scale = Math.fround(Math.fround(maximum - minimum) / most);
  const inverse = inverseOf(scale);
  for (let i = begin; i < end; i++) {
    const x = Math.fround(Math.fround(Math.fround(values[i]! - minimum) * inverse) + 0.5);
    codes[i - begin] = Math.min(most, Math.floor(x));
  }
  return { scale, minimum };
}
