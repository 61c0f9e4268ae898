// Changes of single files, made in the ways of editors and tools.
import type { FSWatcher } from 'chokidar';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileWatch, type FileEvent } from '../../../../extension/src/host/datasets/fileWatch.js';

const opened = vi.hoisted(() => ({ isReady: () => {} }));
vi.mock('chokidar', async load => {
  const chokidar = await load<typeof import('chokidar')>();
  const watch = (...args: Parameters<typeof chokidar.watch>): FSWatcher => {
    const watcher = chokidar.watch(...args);
    watcher.once('ready', opened.isReady);
    return watcher;
  };
  return { ...chokidar, watch };
});

let folder: string;
let path: string;
let files: FileWatch;
let events: FileEvent[];
let stop: () => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-watch-'));
  path = join(folder, 'rows.jsonl');
  writeFileSync(path, 'one\n');
  files = new FileWatch();
  events = [];
  const ready = new Promise<void>(resolve => (opened.isReady = resolve));
  stop = files.add(path, event => events.push(event));
  await ready;
});
afterEach(async () => {
  await files.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits for this number of events, and then that no other follows: a slow machine can only hide one. */
async function settled(count: number): Promise<FileEvent[]> {
  await expect.poll(() => events.length).toBeGreaterThanOrEqual(count);
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

test('deleted and written at once, which is a save', async () => {
  rmSync(path);
  writeFileSync(path, 'again\n');
  expect(await settled(1)).toEqual(['changed']);
});

test('no events after the last listener is removed', async () => {
  stop();
  writeFileSync(path, 'two\n');
  expect(await settled(0)).toEqual([]);
});
