// Every dequantizer gives, bit for bit, the values of the Python package `gguf` (fixtures: random blocks and their values).
import { expect, test } from 'vitest';
import { quantizations } from '../../../../extension/src/engine/files/ggufQuantization.js';
import cases from '../../../fixtures/gguf/dequantized.json' with { type: 'json' };

const quantized = Object.entries(cases).filter(([dtype]) => !['F32', 'F16', 'BF16'].includes(dtype));

test('there is a case for every type', () => {
  expect(quantized.map(([dtype]) => dtype).toSorted()).toEqual(Object.keys(quantizations).toSorted());
});

test.each(quantized)('%s', (dtype, { bytes, float32 }) => {
  const stored = Buffer.from(bytes, 'base64');
  const expected = new Uint32Array(Uint8Array.from(Buffer.from(float32, 'base64')).buffer);
  const { blockValues, blockBytes, dequantize } = quantizations[dtype];
  expect((stored.length / blockBytes) * blockValues).toBe(expected.length);
  const values = new Float32Array(expected.length);
  dequantize(stored, values);
  expect(new Uint32Array(values.buffer)).toEqual(expected);
});
