// Converts whole arrays between float32 and the two 16-bit floats. Called by the safetensors and GGUF readers and writers.
// Allocates nothing but the result.

const half = new Float32Array(65536);
let halfReady = false;

/** All float16 values by their bit patterns: 256 KB, built on first use, since a lookup is faster than the arithmetic. */
function halfTable(): Float32Array {
  if (halfReady) return half;
  const bits = new Uint32Array(half.buffer);
  for (let h = 0; h < 65536; h++) {
    const sign = (h & 0x8000) << 16;
    const exponent = (h >> 10) & 0x1f;
    const mantissa = h & 0x3ff;
    if (exponent === 0) half[h] = (sign ? -1 : 1) * mantissa * 2 ** -24;
    else if (exponent === 31) bits[h] = sign | 0x7f800000 | (mantissa << 13);
    else bits[h] = sign | ((exponent + 112) << 23) | (mantissa << 13);
  }
  halfReady = true;
  return half;
}

/** One float16 bit pattern as a number. */
export function halfToNumber(bits: number): number {
  return halfTable()[bits];
}

/** float16 bit patterns to float32, exact. */
export function halfToFloat32(source: Uint16Array, target: Float32Array): void {
  const table = halfTable();
  for (let i = 0; i < source.length; i++) target[i] = table[source[i]];
}

/** bfloat16 bit patterns to float32, exact. */
export function bfloat16ToFloat32(source: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16;
}

/** float32 to bfloat16, rounded to nearest even as in PyTorch; NaN stays NaN. */
export function float32ToBfloat16(source: Float32Array): Uint16Array {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const target = new Uint16Array(source.length);
  for (let i = 0; i < target.length; i++) {
    const b = bits[i];
    target[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return target;
}

const scalar = new Float32Array(1);
const scalarBits = new Uint32Array(scalar.buffer);

/** One number as a float16 bit pattern, rounded as in {@link float32ToHalf}. */
export function numberToHalf(value: number): number {
  scalar[0] = value;
  return halfBits(scalarBits[0]!);
}

/** float32 to float16, rounded to nearest even; values that are too large become infinite, NaN stays NaN. */
export function float32ToHalf(source: Float32Array): Uint16Array {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const target = new Uint16Array(source.length);
  for (let i = 0; i < target.length; i++) target[i] = halfBits(bits[i]);
  return target;
}

function halfBits(b: number): number {
  const sign = (b >>> 16) & 0x8000;
  const magnitude = b & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 and above round past the largest half, 65504.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  // Up to 2^-25 the result is 0; above it a subnormal, whose mantissa is shifted to units of 2^-24.
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (rest > middle || (rest === middle && kept & 1) ? kept + 1 : kept);
}
