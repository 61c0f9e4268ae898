// 16-bit floats: all bit patterns survive a round trip through float32, and rounding is to nearest even.
import { expect, test } from 'vitest';
import {
  bfloat16ToFloat32,
  float32ToBfloat16,
  float32ToHalf,
  halfToFloat32,
} from '../../../../extension/src/engine/files/halfFloat.js';

const everyPattern = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

test('float16: all 65536 patterns survive', () => {
  const floats = new Float32Array(65536);
  halfToFloat32(everyPattern, floats);
  const back = float32ToHalf(floats);
  for (let bits = 0; bits < 65536; bits++) {
    if (Number.isNaN(floats[bits])) expect(back[bits] & 0x7fff).toBeGreaterThan(0x7c00);
    else if (back[bits] !== bits) expect.fail(`pattern ${bits} came back as ${back[bits]}`);
  }
  expect([floats[0x3c00], floats[0x7bff], floats[1], floats[0x7c00], floats[0xfc00]]).toEqual([
    1,
    65504,
    2 ** -24,
    Infinity,
    -Infinity,
  ]);
});

test('bfloat16: all 65536 patterns survive', () => {
  const floats = new Float32Array(65536);
  bfloat16ToFloat32(everyPattern, floats);
  const back = float32ToBfloat16(floats);
  for (let bits = 0; bits < 65536; bits++) {
    if (Number.isNaN(floats[bits])) expect(back[bits] & 0x7fff).toBeGreaterThan(0x7f80);
    else if (back[bits] !== bits) expect.fail(`pattern ${bits} came back as ${back[bits]}`);
  }
});

test.each([
  [1 + 2 ** -11, 0x3c00], // tie, to even
  [1 + 3 * 2 ** -11, 0x3c02], // tie, to even
  [1 + 2 ** -11 + 2 ** -20, 0x3c01],
  [65519, 0x7bff],
  [65520, 0x7c00],
  [1e9, 0x7c00],
  [2 ** -25, 0], // tie, to even
  [2 ** -25 * 1.001, 1],
  [-1.5 * 2 ** -24, 0x8002], // tie, to even
  [2 ** -14 - 2 ** -26, 0x0400], // the largest subnormals round up to a normal value
  [1e-30, 0],
])('%f rounds to float16 %i', (value, bits) => {
  expect(float32ToHalf(Float32Array.of(value))[0]).toBe(bits);
});

test.each([
  [1 + 2 ** -8, 0x3f80],
  [1 + 3 * 2 ** -8, 0x3f82],
  [3.4e38, 0x7f80],
])('%f rounds to bfloat16 %i', (value, bits) => {
  expect(float32ToBfloat16(Float32Array.of(value))[0]).toBe(bits);
});
