// Changes of single files, made in the ways of editors and tools.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileWatch, type FileEvent } from '../../../../extension/src/host/datasets/fileWatch.js';

let folder: string;
let path: string;
let files: FileWatch;
let events: FileEvent[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-watch-'));
  path = join(folder, 'rows.jsonl');
  writeFileSync(path, 'one\n');
  files = new FileWatch();
  events = [];
  files.add(path, event => events.push(event));
  await pause(250);
});
afterEach(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits for this number of events, and then that no other follows. */
async function settled(count: number): Promise<FileEvent[]> {
  for (let waited = 0; events.length < count && waited < 8000; waited += 50) await pause(50);
  await pause(400);
  return events.splice(0);
}

test('an edit in place', async () => {
  writeFileSync(path, 'one\ntwo\n');
  expect(await settled(1)).toEqual(['changed']);
});

test('an atomic save: another file renamed over it, again and again', async () => {
  for (const text of ['two\n', 'three\n', 'four\n']) {
    writeFileSync(join(folder, '.new'), text);
    renameSync(join(folder, '.new'), path);
    expect(await settled(1), text).toEqual(['changed']);
  }
});

test('renamed away, then back', async () => {
  renameSync(path, join(folder, 'other.jsonl'));
  expect(await settled(1)).toEqual(['deleted']);
  renameSync(join(folder, 'other.jsonl'), path);
  expect(await settled(1)).toEqual(['changed']);
});

test('deleted, then written again', async () => {
  rmSync(path);
  expect(await settled(1)).toEqual(['deleted']);
  writeFileSync(path, 'again\n');
  expect(await settled(1)).toEqual(['changed']);
  writeFileSync(path, 'and again\n');
  expect(await settled(1)).toEqual(['changed']);
});

test('no events after the last listener is removed', async () => {
  await files.close();
  files = new FileWatch();
  const stop = files.add(path, event => events.push(event));
  await pause(250);
  stop();
  writeFileSync(path, 'two\n');
  expect(await settled(0)).toEqual([]);
});
