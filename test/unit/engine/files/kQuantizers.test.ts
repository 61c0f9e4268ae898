// The K types against llama.cpp's own rounding of the same rows (fixture): at most 1.02 times its error.
import { expect, test } from 'vitest';
import { encodeRows } from '../../../../extension/src/engine/files/ggufQuantizers.js';
import { quantizations } from '../../../../extension/src/engine/files/ggufQuantization.js';
import fixture from '../../../fixtures/gguf/kTypes.json' with { type: 'json' };

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const values = new Float32Array(bytesOf(fixture.float32).buffer);
const { rows, columns } = fixture;

function errorOf(type: string, bytes: Uint8Array, expected: Float32Array): number {
  const decoded = new Float32Array(expected.length);
  quantizations[type].dequantize(bytes, decoded);
  return expected.reduce((sum, value, i) => sum + (value - decoded[i]!) ** 2, 0);
}

test.each(Object.entries(fixture.cases))('%s', (type, stored) => {
  const theirs = bytesOf(stored);
  const rowBytes = theirs.length / rows.length;
  const ratios = rows.map((name, i) => {
    const row = values.slice(i * columns, (i + 1) * columns);
    const own = errorOf(type, encodeRows(type, row, {}), row);
    const reference = errorOf(type, theirs.subarray(i * rowBytes, (i + 1) * rowBytes), row);
    return { name, own, reference };
  });
  for (const { name, own, reference } of ratios)
    expect(own, `${name}: ${own} instead of ${reference}`).toBeLessThanOrEqual(1.02 * reference + 1e-30);
  console.log(type, ratios.map(({ name, own, reference }) => `${name} ${(own / reference).toFixed(4)}`).join(', '));
});
