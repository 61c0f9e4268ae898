// A step's time from its work and the machine's rates, and the rates measured once and kept.
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

const speed = { machine: 'm', flopsPerSecond: 100e9, bytesPerSecond: 10e9, bfloat16FlopsPerSecond: null };

afterEach(() => vi.unstubAllEnvs());

test('products and the rest add up; an eager step takes longer', () => {
  const work = { flopsPerStep: 200e9, bytesPerStep: 5e9 };
  const captured = secondsPerStep(work, speed, true);
  expect(captured / 2.5).toBeCloseTo(1.15, 10);
  expect(secondsPerStep(work, speed, false)).toBeGreaterThan(1.5 * captured);
});

test('bfloat16 pays where its product was measured to be clearly faster', () => {
  expect(bfloat16Pays(speed)).toBe(false);
  expect(bfloat16Pays({ ...speed, bfloat16FlopsPerSecond: 105e9 })).toBe(false);
  expect(bfloat16Pays({ ...speed, bfloat16FlopsPerSecond: 150e9 })).toBe(true);
});

test('what was measured on this machine is taken, anything else measured anew', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'tunewright-speed-'));
  const file = join(cache, 'machine-speed.json');
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
  try {
    writeFileSync(file, 'not JSON');
    // The engine is looked for in the cache as well, and isn't in this one.
    await expect(machineSpeed(1)).rejects.toThrow('TensorFlow is not installed');
    const known = { ...speed, machine: ratedMachine(1) };
    writeFileSync(file, JSON.stringify(known));
    expect(await machineSpeed(1)).toEqual(known);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(known);
    await expect(machineSpeed(2)).rejects.toThrow('TensorFlow is not installed');
  } finally {
    rmSync(cache, { recursive: true });
  }
});
