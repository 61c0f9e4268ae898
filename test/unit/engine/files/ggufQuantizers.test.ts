// Every quantizer gives, bit for bit, what the Python package `gguf` gives (fixture: hard rows and their bytes), and refuses what its
// type can't hold.
import { expect, test } from 'vitest';
import {
  WRITTEN_TYPES,
  checkEncoded,
  encodeRows,
  encodedBytes,
  fitsRows,
} from '../../../../extension/src/engine/files/ggufQuantizers.js';
import { quantizations } from '../../../../extension/src/engine/files/ggufQuantization.js';
import { bfloat16ToFloat32, halfToFloat32 } from '../../../../extension/src/engine/files/halfFloat.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import fixture from '../../../fixtures/gguf/encoded.json' with { type: 'json' };

const { rows, columns } = fixture;
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const values = new Float32Array(bytesOf(fixture.float32).buffer);
const place = { file: 'model.gguf', key: 'blk.0.attn_q.weight' };

/** gguf-py multiplies by an infinite inverse here: its codes are those of NaN. They are multiplied by a scale of 0. */
const ARBITRARY_CODES = ['subnormal floats', 'the inverse of the scale overflows'];

function decoded(type: string, bytes: Uint8Array): Float32Array {
  const { blockValues = 1, blockBytes = type === 'F32' ? 4 : 2 } = quantizations[type] ?? {};
  const target = new Float32Array((bytes.length / blockBytes) * blockValues);
  const halves = () => new Uint16Array(bytes.slice().buffer);
  if (type === 'F32') return new Float32Array(bytes.slice().buffer);
  if (type === 'F16') halfToFloat32(halves(), target);
  else if (type === 'BF16') bfloat16ToFloat32(halves(), target);
  else quantizations[type].dequantize(bytes, target);
  return target;
}

test('there is a case for every type', () => {
  expect(Object.keys(fixture.cases).toSorted()).toEqual(WRITTEN_TYPES.filter(type => !type.endsWith('_K')).toSorted());
});

test.each(Object.entries(fixture.cases))('%s', (type, { bytes, float32 }) => {
  const expected = bytesOf(bytes);
  const rowBytes = encodedBytes(type, columns);
  expect(expected).toHaveLength(rows.length * rowBytes);
  const back = new Float32Array(bytesOf(float32).buffer);
  rows.forEach((name, i) => {
    const encoded = encodeRows(type, values.slice(i * columns, (i + 1) * columns), place);
    if (!ARBITRARY_CODES.includes(name))
      expect(encoded, name).toEqual(expected.slice(i * rowBytes, (i + 1) * rowBytes));
    // 0 and -0 are the same weight.
    const zeroless = (numbers: Float32Array) => numbers.map(number => number + 0);
    expect(zeroless(decoded(type, encoded)), name).toEqual(zeroless(back.slice(i * columns, (i + 1) * columns)));
  });
});

test.each(WRITTEN_TYPES)('%s refuses values that are not finite', async type => {
  for (const value of [Infinity, -Infinity, NaN]) {
    const error = await inputErrorOf(() => encodeRows(type, new Float32Array(256).fill(1).fill(value, 9, 10), place));
    expect(error.message).toContain('non-finite');
    expect(error.where).toContain(place.key);
  }
});

test.each([
  ['F16', 65520],
  ['BF16', 3.4e38],
  ['Q8_0', 9e6],
  ['Q4_0', -6e5],
  ['Q4_1', -66000],
  ['Q5_0', 1.1e6],
  ['Q5_1', -66000],
  ['Q4_K', 7e7],
  ['Q5_K', 2e8],
  ['Q6_K', -3e8],
])('%s refuses %d, which would become infinite', async (type, value) => {
  const error = await inputErrorOf(() => encodeRows(type, new Float32Array(256).fill(value, 40, 41), place));
  expect(error.message).toContain(`too large for ${type}`);
  expect(error.where).toContain(place.key);
});

test('a range too large for a float32 is refused', async () => {
  const range = new Float32Array(32).fill(3e38, 0, 1).fill(-3e38, 1, 2);
  expect((await inputErrorOf(() => encodeRows('Q4_1', range, place))).message).toContain('too large for Q4_1');
});

test.each(WRITTEN_TYPES)('encoded blocks of %s are refused exactly if their values are not finite', async type => {
  const encoded = encodeRows(type, values.subarray(0, 256), place);
  expect(() => checkEncoded(type, encoded, place)).not.toThrow();
  const refused = [];
  for (let at = 0; at < encoded.length; at += 2) {
    const bytes = encoded.slice();
    bytes.set([0x80, 0xff], at);
    const isFinite = decoded(type, bytes).every(Number.isFinite);
    if (isFinite) expect(() => checkEncoded(type, bytes, place), `${at}`).not.toThrow();
    else refused.push((await inputErrorOf(() => checkEncoded(type, bytes, place))).where);
  }
  expect(refused).not.toEqual([]);
  expect(new Set(refused)).toEqual(new Set([expect.stringContaining(place.key)]));
});

test('rows must be whole blocks', () => {
  expect(fitsRows('F16', 33)).toBe(true);
  expect([fitsRows('Q8_0', 64), fitsRows('Q8_0', 48), fitsRows('Q5_1', 33)]).toEqual([true, false, false]);
});
