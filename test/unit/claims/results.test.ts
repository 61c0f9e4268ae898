// Results of the claims: which rate is chosen, what is still missing, and files that give back what was written.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { mergeResults, missingRuns, readResults, tunedRate, writeResults } from '../../claims/results.mjs';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-claims-'));
afterAll(() => rmSync(folder, { recursive: true }));

const entry = { name: 'LoRA' };
const race = { seeds: [0], runs: [1e-3, 2e-3, 4e-3].map(rate => ({ entry, rate, name: `LoRA at ${rate}` })) };
const results = (...losses: (number | null)[]) => ({
  runs: losses.map((loss, i) => ({
    name: race.runs[i]!.name,
    seed: 0,
    status: loss === null ? 'failed' : 'finished',
    loss,
  })),
});
const tuned = (...losses: (number | null)[]) => tunedRate(race, results(...losses), 'LoRA');

describe('the rate', () => {
  test('is that of the lowest loss', () => expect(tuned(3, 1, 2)).toEqual({ rate: 2e-3, isEdge: false }));
  test('may be at the edge of the grid', () => expect(tuned(3, 2, 1)).toEqual({ rate: 4e-3, isEdge: true }));
  test('is never one that failed', () => expect(tuned(3, 2, null)).toEqual({ rate: 2e-3, isEdge: false }));
  test('is unknown before all were tried', () => expect(tuned(3, 2)).toBeNull());
  test('is unknown if all failed', () => expect(tuned(null, null, null)).toBeNull());
  test('is unknown without results', () => expect(tunedRate(race, null, 'LoRA')).toBeNull());
  test('of an entry that is not tuned is unknown', () => expect(tunedRate(race, results(3, 1, 2), 'IA3')).toBeNull());
});

test('runs are missing by name and seed', () => {
  const own = { seeds: [1, 2], runs: race.runs };
  expect(missingRuns(own, null)).toHaveLength(6);
  const ended = [
    { name: 'LoRA at 0.001', seed: 1 },
    { name: 'LoRA at 0.001', seed: 2 },
    { name: 'LoRA at 0.002', seed: 2 },
    { name: 'another', seed: 1 },
  ];
  const missing = missingRuns(own, { runs: ended }) as { seed: number; run: { name: string } }[];
  const keys = missing.map(({ seed, run }) => `${seed} ${run.name}`);
  expect(keys).toEqual(['1 LoRA at 0.002', '1 LoRA at 0.004', '2 LoRA at 0.004']);
});

test('a race folder with some of the runs adds to what is known', () => {
  const run = (name: string, loss: number) => ({ name, seed: 1, loss });
  const known = { cpu: 'old', base: { loss: 2, score: 0.5 }, runs: [run('a', 1), run('b', 1)] };
  const added = { cpu: 'new', base: { loss: 3, score: null }, runs: [run('b', 2), run('c', 3)] };
  const runs = [run('a', 1), run('b', 2), run('c', 3)];
  expect(mergeResults(known, added)).toEqual({ cpu: 'new', base: { loss: 3, score: 0.5 }, runs });
  expect(mergeResults(null, added)).toEqual(added);
});

test('files have a line for each run, and give back what was written', () => {
  const written = { cpu: 'a CPU', base: { loss: 2 }, ...results(1, null) };
  writeResults(folder, 'some', written);
  expect(readResults(folder, 'some')).toEqual(written);
  expect(
    readFileSync(join(folder, 'some.json'), 'utf8')
      .split('\n')
      .filter(line => line.includes('seed')),
  ).toHaveLength(2);
  expect(readResults(folder, 'other')).toBeNull();
});
