// Modes of what is created in a private folder, below it, in its exports, and beside it.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeFileAtomically } from '../../../extension/src/engine/files/atomicFile.js';
import { claimFile } from '../../../extension/src/system/fileClaim.js';
import { makeFolder, makePrivateFolder } from '../../../extension/src/system/makeFolder.js';
import { keepPrivate } from '../../../extension/src/system/privateFolder.js';
import { appendLine, openRegularFile, writeWhole } from '../../../extension/src/system/regularFile.js';

let place: string;
const umask = process.umask(0o022);
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'private-'));
});
afterAll(() => {
  process.umask(umask);
  rmSync(place, { recursive: true });
});

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

const WRITERS: Record<string, (path: string) => unknown> = {
  appendLine: path => appendLine(path, 'line'),
  writeWhole: path => writeWhole(path, 'text', 'refuse', 'create'),
  openRegularFile: path => openRegularFile(path, 'refuse', 'append'),
  writeFileAtomically: path => writeFileAtomically(path, append => append(Buffer.from('text'))),
  claimFile: path => claimFile(path),
};

test.each(Object.entries(WRITERS))('%s', (name, write) => {
  const run = join(place, name);
  makePrivateFolder(run);
  const modes = (path: string) => {
    makeFolder(dirname(path));
    write(path);
    return [modeOf(dirname(path)), modeOf(path)];
  };
  expect(modes(join(run, 'file'))).toEqual(['700', '600']);
  expect(modes(join(run, 'checkpoints', 'step-1', 'file'))).toEqual(['700', '600']);
  expect(modes(join(run, 'exports', 'model', 'file'))).toEqual(['755', '644']);
  expect(modes(join(run, 'exports-of-mine', 'file'))).toEqual(['700', '600']);
  expect(modes(join(`${run}-2`, 'file'))).toEqual(['755', '644']);
});

test('a folder that exists becomes private when it is made so, and keeps its mode when files in it are', () => {
  const [made, kept] = [join(place, 'made'), join(place, 'kept')];
  for (const folder of [made, kept]) mkdirSync(folder);
  makePrivateFolder(made);
  keepPrivate(kept);
  appendLine(join(kept, 'file'), 'line');
  expect([modeOf(made), modeOf(kept), modeOf(join(kept, 'file'))]).toEqual(['700', '755', '600']);
});
