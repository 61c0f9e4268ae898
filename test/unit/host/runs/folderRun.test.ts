import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** The process of the run has ended. */
function end(): void {
  rmSync(join(folder, 'process.json'));
  run.refresh();
}
const failed = (more: object) => {
  const { seq, time } = JSON.parse(recorded[19]!);
  const event = { seq: seq + 1, time, type: 'failed', step: 3, last_checkpoint: null, ...more };
  appendFileSync(join(folder, 'events.ndjson'), `${JSON.stringify(event)}\n`);
};

test('a failure says what, where and what to change, with the end of the log', () => {
  writeFileSync(join(folder, 'engine.log'), 'one\ntwo\n');
  const error = { code: 'bad_input', message: 'no such column', file: '/data/facts.csv', line: 12, hint: 'Name one.' };
  failed(error);
  expect(run.failure(), 'while the process is alive').toBeNull();
  end();
  expect(run.failure()).toEqual({
    message: 'no such column',
    hint: 'Name one.',
    file: '/data/facts.csv',
    line: 12,
    key: null,
    log: ['one', 'two'],
  });
  expect(run.failureText()).toBe('/data/facts.csv:12: no such column.\n  Name one.');
});

test('a process that ended without a message is an interruption, and the log says what it can', () => {
  writeFileSync(join(folder, 'engine.log'), 'Killed\n');
  end();
  expect(run.phase).toBe('interrupted');
  expect(run.failure()).toMatchObject({ message: expect.stringContaining('without a message'), log: ['Killed'] });
  expect(run.failureText()).toMatch(/without a message.*\nKilled$/s);
});

test('it is resumable only with a checkpoint, and only after its end', () => {
  const checkpoint = join(folder, 'checkpoints/step-2');
  end();
  expect(run.resumable).toBe(false);
  mkdirSync(checkpoint, { recursive: true });
  writeFileSync(join(checkpoint, 'state.json'), '{}');
  expect(run.resumeStep()).toBe(2);
  write(20);
  run.refresh();
  expect(run.phase).toBe('completed');
  expect(run.resumeStep(), 'nothing is left to do').toBeNull();
});

test('it was started when its first event was written', () => {
  expect(run.startedMs).toBe(Date.parse(JSON.parse(recorded[0]!).time));
});
