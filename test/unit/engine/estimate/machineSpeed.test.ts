// A step's time from its work and the machine's rates, and rates that are measured once and stored.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import {
  bfloat16Pays,
  machineSpeed,
  ratedMachine,
  secondsPerStep,
} from '../../../../extension/src/engine/estimate/machineSpeed.js';

const SPEED = { machine: 'm', flopsPerSecond: 100e9, bytesPerSecond: 10e9, bfloat16FlopsPerSecond: null };

afterEach(() => vi.unstubAllEnvs());

test('the times of products and other operations add up; an eager step takes longer', () => {
  const work = { flopsPerStep: 200e9, bytesPerStep: 5e9 };
  const captured = secondsPerStep(work, SPEED, true);
  expect(captured / 2.5).toBeCloseTo(1.15, 10);
  expect(secondsPerStep(work, SPEED, false)).toBeGreaterThan(1.5 * captured);
});

test('bfloat16 pays off if its product was measured to be clearly faster', () => {
  expect(bfloat16Pays(SPEED)).toBe(false);
  expect(bfloat16Pays({ ...SPEED, bfloat16FlopsPerSecond: 105e9 })).toBe(false);
  expect(bfloat16Pays({ ...SPEED, bfloat16FlopsPerSecond: 150e9 })).toBe(true);
});

test('rates measured on this machine are reused, all others measured again', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'tunewright-speed-'));
  const file = join(cache, 'machine-speed.json');
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
  try {
    writeFileSync(file, 'not JSON');
    // The engine is installed in the cache folder as well, but not in this one.
    await expect(machineSpeed(1)).rejects.toThrow('TensorFlow is not installed');
    const known = { ...SPEED, machine: ratedMachine(1) };
    writeFileSync(file, JSON.stringify(known));
    expect(await machineSpeed(1)).toEqual(known);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(known);
    await expect(machineSpeed(2)).rejects.toThrow('TensorFlow is not installed');
  } finally {
    rmSync(cache, { recursive: true });
  }
});
