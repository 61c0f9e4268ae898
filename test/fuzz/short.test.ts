// A part of `npm run fuzz` for every run of the tests: damaged inputs of every kind are read, or refused with a place.
import { expect, test } from 'vitest';
import { fuzz } from './fuzz.mjs';

const INPUTS = 10_000;

test(`${INPUTS} damaged inputs are read, or refused with a place`, { timeout: 600_000 }, async () => {
  const faults: string[] = [];
  const counts = await fuzz({
    count: INPUTS,
    seed: 1,
    onFault: ({ n, reader, file, message }) => faults.push(`input ${n} (${reader}: ${file}): ${message}`),
  });
  expect(faults).toEqual([]);
  expect(counts.inputs).toBe(INPUTS);
  // Neither everything nor nothing of any kind is refused.
  const refused = Object.keys(counts.refused);
  expect(refused).toEqual(expect.arrayContaining(['rows in text', 'GGUF', 'adapter', 'run file', 'wheel']));
  expect(Object.keys(counts.read)).toEqual(expect.arrayContaining(refused));
});
