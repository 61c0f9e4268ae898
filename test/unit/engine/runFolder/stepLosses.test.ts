// step-losses.ndjson: what is read is what the last process wrote of a step.
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readStepLosses, StepLossWriter } from '../../../../extension/src/engine/runFolder/stepLosses.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-losses-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('the last whole line of a step counts, after a crash and a resume too', () => {
  const path = join(folder, 'step-losses.ndjson');
  expect(readStepLosses(path, 1)).toBeNull();
  const write = (...steps: [number, number[]][]) => {
    const writer = new StepLossWriter(path);
    for (const [step, losses] of steps) writer.write(step, losses);
    writer.close();
  };
  write([1, [1.23456, 2]], [2, [3, 4]], [12, [5]]);
  appendFileSync(path, '\n{"step":13,"losses":[6,');
  expect([1, 2, 12, 13].map(step => readStepLosses(path, step))).toEqual([[1.2346, 2], [3, 4], [5], null]);
  write([2, [7, 8]]);
  expect([1, 2, 3].map(step => readStepLosses(path, step))).toEqual([[1.2346, 2], [7, 8], null]);
});
