// A run that ends with its windows: when the engine considers them closed.
import { mkdtempSync, rmSync, utimesSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { abandonment, forgetOldWindows } from '../../../../extension/src/engine/run/runProcess.js';

let folder: string;
let mark: string;
let nowMs: number;
let isAbandoned: () => boolean;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-windows-'));
  mark = join(folder, 'attended.json');
  nowMs = 0;
  isAbandoned = abandonment(mark, () => nowMs);
});
afterEach(() => rmSync(folder, { recursive: true }));

function renew(seconds: number): void {
  writeFileSync(mark, '{}');
  utimesSync(mark, seconds, seconds);
}
/** Whether the run counts as abandoned at any second of a period. */
const within = (seconds: number) =>
  Array.from({ length: seconds }, () => {
    nowMs += 1000;
    return isAbandoned();
  }).includes(true);

test('a run without a mark outlives its windows', () => expect(within(3600)).toBe(false));

test('a run whose mark is renewed continues indefinitely', () => {
  for (let second = 0; second < 3600; second += 10) {
    renew(second);
    expect(within(10)).toBe(false);
  }
});

test('a run whose mark is no longer renewed is abandoned after half a minute', () => {
  renew(1);
  expect(within(30)).toBe(false);
  expect(within(6)).toBe(true);
});

test('reloading the window in the meantime, or removing the mark, keeps the run', () => {
  renew(1);
  expect(within(25)).toBe(false);
  renew(2);
  expect(within(25)).toBe(false);
  rmSync(mark);
  expect(within(3600)).toBe(false);
});

test('a machine that was asleep, or one long step, does not end the run', () => {
  renew(1);
  within(6);
  nowMs += 3_600_000;
  expect(isAbandoned()).toBe(false);
  renew(2);
  expect(within(30)).toBe(false);
});

test('a mark older than this process is removed; a later one is kept, even if its window closed while the model was loading', () => {
  renew(1000);
  forgetOldWindows(mark, 999_000);
  expect(existsSync(mark)).toBe(true);
  forgetOldWindows(mark, 1_001_000);
  expect(existsSync(mark)).toBe(false);
});
