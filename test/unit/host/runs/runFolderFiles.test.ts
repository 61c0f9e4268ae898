import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { initialRunState, reduceRun } from '../../../../extension/src/core/runs/runState.js';
import {
  fileSize,
  lastCheckpointStep,
  readCertificates,
  readEventChunk,
  readEventEnds,
  readJson,
  readLastLines,
} from '../../../../extension/src/host/runs/runFolderFiles.js';
import { certificate } from '../../../support/certificates.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-run-files-'));
const time = '2026-01-01T00:00:00.000Z';
const paused = (seq: number) => `${JSON.stringify({ seq, time, type: 'paused', step: seq })}\n`;
const step = (seq: number) =>
  `${JSON.stringify({
    ...{ seq, time, type: 'step', step: seq, epoch: 0.5, loss: 1 / seq, grad_norm: 1, learning_rate: 1e-4 },
    ...{ num_tokens: seq, tokens_per_second: 9, step_ms: 10, rss_bytes: 5e8 },
  })}\n`;

const EVALUATION = { loss: 1, best: true, metrics: {}, num_label_tokens: 1, eval_ms: 1 };

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

test('of a long file its start and its last whole lines are read, and no loss from in between', () => {
  const file = join(folder, 'long.ndjson');
  const [started] = readFileSync(new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url), 'utf8').split(
    '\n',
  );
  writeFileSync(file, `${started}\n${Array.from({ length: 1000 }, (_, i) => step(i + 1)).join('')}`);
  const events = readEventEnds(file, 2000);
  expect(events[0]!.type).toBe('started');
  expect(events[1]!.seq).toBeGreaterThan(980);
  expect(events.at(-1)!.seq).toBe(1000);
  const evaluation = JSON.stringify({ ...{ seq: 1001, time, type: 'evaluated', step: 1000 }, ...EVALUATION });
  appendFileSync(file, `${evaluation}\n${Array.from({ length: 200 }, (_, i) => step(i + 1002)).join('')}`);
  const wider = readEventEnds(file, 60_000);
  expect(wider.map(({ type }) => type).slice(0, 3)).toEqual(['started', 'evaluated', 'step']);
  expect(wider.filter(({ type }) => type === 'step').length, 'steps that a glance takes').toBe(50);
});

test('the last lines of a log, without escapes and without what a progress bar has overwritten', () => {
  const file = join(folder, 'engine.log');
  expect(readLastLines(file, 3)).toEqual([]);
  writeFileSync(file, `${'first\n'.repeat(5000)}\u001b[31mred\u001b[0m\n\n 10%\r 20%\r 30%\nlast\n`);
  expect(readLastLines(file, 4)).toEqual(['first', 'red', ' 30%', 'last']);
});

test('a run is resumed from its latest complete checkpoint', () => {
  const checkpoints = join(folder, 'checkpoints');
  expect(lastCheckpointStep(checkpoints)).toBeNull();
  for (const name of ['step-20', 'step-100', 'step-120', 'best'])
    mkdirSync(join(checkpoints, name), { recursive: true });
  expect(lastCheckpointStep(checkpoints)).toBeNull();
  for (const name of ['step-20', 'step-100', 'best']) writeFileSync(join(checkpoints, name, 'state.json'), '{}');
  expect(lastCheckpointStep(checkpoints)).toBe(100);
  expect(lastCheckpointStep(join(checkpoints, 'best', 'state.json')), 'a file').toBeNull();
});

test('of 100,000 steps each byte is read once, apart from the lines that a chunk cuts', () => {
  const file = join(folder, 'steps.ndjson');
  writeFileSync(file, Array.from({ length: 100_000 }, (_, i) => step(i + 1)).join(''));
  let state = initialRunState;
  const chunks: number[] = [];
  for (let chunk, offset = 0; (chunk = readEventChunk(file, offset)); offset = chunk.next) {
    state = chunk.events.reduce(reduceRun, state);
    chunks.push(chunk.next - offset);
  }
  expect(state.steps.length).toBe(100_000);
  const size = fileSize(file);
  expect(chunks.reduce((sum, bytes) => sum + bytes)).toBe(size);
  expect(chunks).toHaveLength(Math.ceil(size / 2 ** 18));
});

test('the end of a log is enough', () => {
  const file = join(folder, 'engine.log');
  writeFileSync(file, `${'x'.repeat(1 << 20)}\nthe reason\n`);
  expect(readLastLines(file, 1)).toEqual(['the reason']);
  expect(readLastLines(join(folder, 'none'), 1)).toEqual([]);
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
    expect(readLastLines(at(name), 3)).toEqual([]);
    expect(fileSize(at(name))).toBe(name === 'huge' ? 2 ** 40 : 0);
  });

  test('a line that doesn’t end', () => {
    writeFileSync(at('line'), '');
    truncateSync(at('line'), 2 ** 30);
    expect(readEventChunk(at('line'), 0)).toBeNull();
  });
});

test('certificates are read, latest first; what isn’t one is skipped', () => {
  const run = join(folder, 'certified');
  expect(readCertificates(run)).toEqual([]);
  const write = (name: string, content: unknown) => {
    mkdirSync(join(run, 'exports'), { recursive: true });
    writeFileSync(join(run, 'exports', name), JSON.stringify(content));
  };
  const made = (path: string, created: string) => certificate('gguf', path, { created });
  write('a.gguf.certificate.json', made('/x/a.gguf', '2026-01-01T00:00:00Z'));
  write('b.gguf.2.certificate.json', made('/x/b.gguf', '2026-01-02T00:00:00Z'));
  write('c.certificate.json', { version: 2 });
  write('config.json', made('/x/no.gguf', '2026-01-03T00:00:00Z'));
  mkdirSync(join(run, 'exports', 'folder.certificate.json'));
  symlinkSync(join(run, 'exports', 'a.gguf.certificate.json'), join(run, 'exports', 'link.certificate.json'));
  expect(readCertificates(run).map(({ path }) => path)).toEqual(['/x/b.gguf', '/x/a.gguf']);
});
