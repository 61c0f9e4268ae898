import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { initialRunState, reduceRun } from '../../../../extension/src/core/runs/runState.js';
import {
  fileSize,
  readEventChunk,
  readEventEnds,
  readJson,
  readLogEnd,
} from '../../../../extension/src/host/runs/runFolderFiles.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-run-files-'));
const time = '2026-01-01T00:00:00.000Z';
const paused = (seq: number) => `${JSON.stringify({ seq, time, type: 'paused', step: seq })}\n`;
const step = (seq: number) =>
  `${JSON.stringify({
    ...{ seq, time, type: 'step', step: seq, epoch: 0.5, loss: 1 / seq, grad_norm: 1, learning_rate: 1e-4 },
    ...{ num_tokens: seq, tokens_per_second: 9, step_ms: 10, rss_bytes: 5e8 },
  })}\n`;

test('a file is read by whole lines; an incomplete line waits', () => {
  const file = join(folder, 'growing.ndjson');
  writeFileSync(file, paused(0) + paused(1).slice(0, 10));
  const first = readEventChunk(file, 0)!;
  expect(first.events.map(event => event.seq)).toEqual([0]);
  expect(readEventChunk(file, first.next)).toBeNull();
  appendFileSync(file, paused(1).slice(10));
  expect(readEventChunk(file, first.next)!.events.map(event => event.seq)).toEqual([1]);
});

test('lines that are not events of this version are skipped', () => {
  const file = join(folder, 'strange.ndjson');
  writeFileSync(file, `{"type":"danced"}\nnonsense\n${paused(2)}`);
  expect(readEventChunk(file, 0)!.events.map(event => event.seq)).toEqual([2]);
});

test('a missing file has nothing to read', () => {
  expect(readEventChunk(join(folder, 'none'), 0)).toBeNull();
  expect(readEventEnds(join(folder, 'none'))).toEqual([]);
});

test('the ends of a long file are its first and last whole lines', () => {
  const file = join(folder, 'long.ndjson');
  writeFileSync(file, Array.from({ length: 1000 }, (_, seq) => paused(seq)).join(''));
  const seqs = readEventEnds(file, 1000).map(event => event.seq);
  expect(seqs[0]).toBe(0);
  expect(seqs.at(-1)).toBe(999);
  expect(seqs.length).toBeLessThan(40);
});

test('100,000 steps are read and reduced in a few seconds at most', () => {
  const file = join(folder, 'steps.ndjson');
  writeFileSync(file, Array.from({ length: 100_000 }, (_, i) => step(i + 1)).join(''));
  // CPU time, as the machine may be busy.
  const began = process.cpuUsage();
  let state = initialRunState;
  for (let chunk, offset = 0; (chunk = readEventChunk(file, offset)); offset = chunk.next)
    state = chunk.events.reduce(reduceRun, state);
  const { user, system } = process.cpuUsage(began);
  const cpuMs = (user + system) / 1000;
  console.log(`100,000 steps: ${Math.round(cpuMs)} ms of processor time`);
  expect(state.steps.length).toBe(100_000);
  expect(cpuMs).toBeLessThan(8_000);
});

test('the end of a log is enough', () => {
  const file = join(folder, 'engine.log');
  writeFileSync(file, `${'x'.repeat(1 << 20)}\nthe reason\n`);
  expect(readLogEnd(file)).toHaveLength(16_384);
  expect(readLogEnd(file)).toMatch(/the reason\n$/);
  expect(readLogEnd(join(folder, 'none'))).toBe('');
});

describe.runIf(process.platform !== 'win32')('nothing is read from', () => {
  const at = (name: string) => join(folder, name);
  writeFileSync(at('target'), `{"name": "of another folder"}\n${paused(0)}`);
  symlinkSync(at('target'), at('link'));
  symlinkSync('/dev/zero', at('endless'));
  execFileSync('mkfifo', [at('pipe')]);
  mkdirSync(at('folder'));
  writeFileSync(at('huge'), '');
  truncateSync(at('huge'), 2 ** 40);

  test.each(['link', 'endless', 'pipe', 'folder', 'huge'])('%s', name => {
    expect(readJson(at(name))).toBeNull();
    expect(readEventChunk(at(name), 0)).toBeNull();
    expect(readEventEnds(at(name))).toEqual([]);
    expect(readLogEnd(at(name))).toBe('');
    expect(fileSize(at(name))).toBe(name === 'huge' ? 2 ** 40 : 0);
  });

  test('a line that doesn’t end', () => {
    writeFileSync(at('line'), '');
    truncateSync(at('line'), 2 ** 30);
    expect(readEventChunk(at('line'), 0)).toBeNull();
  });
});
