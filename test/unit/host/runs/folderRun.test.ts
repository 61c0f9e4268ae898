import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { currentStep } from '../../../../extension/src/core/runs/runState.js';
import { FolderRun } from '../../../../extension/src/host/runs/folderRun.js';

vi.mock('vscode', async () => {
  const { EventEmitter } = await import('node:events');
  return {
    EventEmitter: class {
      private readonly emitter = new EventEmitter();
      readonly event = (listener: () => void) => this.emitter.on('fired', listener);
      fire = () => this.emitter.emit('fired');
      dispose = () => this.emitter.removeAllListeners();
    },
  };
});

/** 120 steps of the embedded model, one per line. */
const recorded = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n');

let folder: string;
let run: FolderRun;
let changes: number;
const write = (from: number, to?: number) =>
  appendFileSync(
    join(folder, 'events.ndjson'),
    recorded
      .slice(from, to)
      .map(line => `${line}\n`)
      .join(''),
  );

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-run-'));
  writeFileSync(join(folder, 'run.json'), '{ "name": "pirate" }');
  writeFileSync(join(folder, 'process.json'), JSON.stringify({ pid: process.pid, started: new Date().toISOString() }));
  write(0, 20);
  run = new FolderRun(folder);
  changes = 0;
  run.onDidChange(() => void (changes += 1));
});
afterEach(() => {
  run.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test('reading the state between two refreshes hides no change from listeners', () => {
  const before = currentStep(run.state());
  write(20);
  run.state();
  run.refresh();
  expect(changes).toBe(1);
  expect(currentStep(run.state())).toBeGreaterThan(before);
  run.refresh();
  expect(changes, 'nothing was written since').toBe(1);
});

test('a file that has become shorter is read from the beginning', () => {
  write(20);
  run.refresh();
  expect(currentStep(run.state())).toBe(120);
  writeFileSync(join(folder, 'events.ndjson'), '');
  write(0, 10);
  run.refresh();
  expect(run.state().lastSeq).toBe(JSON.parse(recorded[9]!).seq);
});
