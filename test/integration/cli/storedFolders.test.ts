// A run that was stopped in an earlier version is resumed by this one, with the same results as that version's uninterrupted run
// (test/fixtures/runFolders).
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it, vi } from 'vitest';
import { readEvents } from '../../../extension/src/engine/runFolder/eventLog.js';
import { succeed } from '../../support/cli.js';

vi.setConfig({ testTimeout: 240_000 });

const fixtures = fileURLToPath(new URL('../../fixtures/runFolders', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'tunewright-stored-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Other CPUs add up in another order; on the CPU of the recording, the values are equal bit for bit. */
const LOSS_TOLERANCE = 1e-5;
const NORM_TOLERANCE = 1e-4;

interface Figures {
  type: 'step' | 'evaluated';
  step: number;
  loss: number;
  grad_norm?: number;
}

it.each(readdirSync(fixtures).filter(name => /^v\d+$/.test(name)))('of %s', async version => {
  cpSync(fixtures, place, { recursive: true });
  const folder = join(place, version, 'stopped');
  const before = readEvents(join(folder, 'events.ndjson'));
  await succeed(['train', join(folder, 'run.json'), '--resume', '--out', folder]);

  const events = readEvents(join(folder, 'events.ndjson'));
  expect(events.slice(0, before.length)).toEqual(before);
  const stoppedAt = before.findLast(({ type }) => type === 'step') as Figures;
  expect(events[before.length]).toMatchObject({ type: 'started', resumed_from_step: stoppedAt.step });
  expect(events.at(-1)).toMatchObject({ type: 'completed', reason: 'finished', step: 10 });
  const figures = events.filter(({ type }) => type === 'step' || type === 'evaluated') as Figures[];
  const unbroken: Figures[] = JSON.parse(readFileSync(join(place, version, 'unbroken.json'), 'utf8'));
  expect(figures.map(({ type, step }) => `${type} ${step}`)).toEqual(
    unbroken.map(({ type, step }) => `${type} ${step}`),
  );
  for (const [i, { type, step, loss, grad_norm: norm }] of unbroken.entries()) {
    const off = (now: number, then: number) => Math.abs(now / then - 1);
    expect(off(figures[i]!.loss, loss), `loss of ${type} ${step}`).toBeLessThan(LOSS_TOLERANCE);
    if (norm === undefined) continue;
    expect(off(figures[i]!.grad_norm!, norm), `grad_norm of step ${step}`).toBeLessThan(NORM_TOLERANCE);
  }
});
