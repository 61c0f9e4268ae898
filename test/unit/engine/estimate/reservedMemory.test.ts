// What runs that have begun are still going to take, for runs that are to begin: processes that claim, end, and are killed.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { reservedMemory, reserveMemory } from '../../../../extension/src/engine/estimate/reservedMemory.js';
import { bundleClaimant, Claimant } from '../../../support/claimant.js';

const GB = 1e9;
let cache: string;
let program: string;
let other: Claimant;
const folder = () => join(cache, 'training');
const claimed = (bytes: number) => join(folder(), `${bytes}-of-another`);

beforeAll(async () => {
  cache = mkdtempSync(join(tmpdir(), 'reserved-'));
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
  mkdirSync(folder());
  program = await bundleClaimant(cache, 'claimant.mjs');
});
beforeEach(async () => {
  other = await Claimant.start(program);
});
afterEach(() => other.kill());
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

test('nothing without other runs; one’s own is no other', () => {
  const own = reserveMemory(5 * GB);
  expect(reservedMemory()).toEqual({ bytes: 0, pids: [] });
  expect(own.earlier).toEqual({ bytes: 0, pids: [] });
  own.release();
  expect(readdirSync(folder())).toEqual([]);
});

test('the estimate of another less what it has taken already, until it ends', async () => {
  await other.claim(claimed(5 * GB));
  const { bytes, pids } = reservedMemory();
  expect(pids).toEqual([other.pid]);
  // A Node process holds tens of megabytes.
  expect(bytes).toBeGreaterThan(4 * GB);
  expect(bytes).toBeLessThan(5 * GB - 1e6);
  await other.release();
  expect(reservedMemory().bytes).toBe(0);
});

test('a process that has taken more than its estimate takes no more', async () => {
  await other.claim(claimed(1000));
  expect(reservedMemory()).toEqual({ bytes: 0, pids: [] });
});

test('of two that start at once, only the later one counts the other', async () => {
  await other.claim(claimed(5 * GB));
  const later = reserveMemory(GB);
  expect(later.earlier.pids).toEqual([other.pid]);
  later.release();
  const claim = JSON.parse(readFileSync(claimed(5 * GB), 'utf8'));
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  writeFileSync(claimed(5 * GB), JSON.stringify({ ...claim, started: inAnHour }));
  const earlier = reserveMemory(GB);
  expect(earlier.earlier.pids).toEqual([]);
  earlier.release();
});

test('what is reserved on another machine, whose memory this one doesn’t have, is kept and doesn’t count', async () => {
  await other.claim(claimed(5 * GB));
  const claim = JSON.parse(readFileSync(claimed(5 * GB), 'utf8'));
  writeFileSync(claimed(5 * GB), JSON.stringify({ ...claim, pidSpace: 'another machine' }));
  expect(reservedMemory()).toEqual({ bytes: 0, pids: [] });
  expect(readdirSync(folder())).toEqual(['5000000000-of-another']);
  rmSync(claimed(5 * GB));
});

test('what a killed process or anybody else has left there counts for nothing and is removed', async () => {
  await other.claim(claimed(5 * GB));
  await other.kill();
  writeFileSync(join(folder(), '7000000000-x'), `{"pid":${process.ppid},"started":"x","start":"x","secret":"x"}`);
  writeFileSync(join(folder(), '5-x.of-a-claim-under-way'), '');
  expect(reservedMemory()).toEqual({ bytes: 0, pids: [] });
  expect(readdirSync(folder())).toEqual(['5-x.of-a-claim-under-way']);
});
