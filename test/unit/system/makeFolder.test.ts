// Folders with their parents, also where the operating system creates none.
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from '../../../extension/src/system/makeFolder.js';
import { inputErrorOf } from '../../support/inputErrors.js';

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'tunewright-folders-'))));
afterEach(() => rmSync(home, { recursive: true }));

it('creates all that is missing, and does nothing to a folder that exists', () => {
  const path = join(home, 'a', 'b', 'c');
  makeFolder(path);
  makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
});

it('creates folders below a link to a folder', () => {
  symlinkSync(home, join(home, 'link'));
  makeFolder(join(home, 'link', 'a'));
  expect(statSync(join(home, 'a')).isDirectory()).toBe(true);
});

it('says which part is not a folder', async () => {
  writeFileSync(join(home, 'file'), '');
  symlinkSync(join(home, 'nothing'), join(home, 'dangling'));
  for (const name of ['file', 'dangling'])
    expect((await inputErrorOf(() => makeFolder(join(home, name)))).where).toBe(join(home, name));
  expect(() => makeFolder(join(home, 'file', 'a'))).toThrow(/ENOTDIR/);
});

it.runIf(process.platform === 'linux')('ends where the operating system creates no folders', async () => {
  for (const path of ['/proc/x', '/proc/x/y', '/proc/self/x'])
    expect((await inputErrorOf(() => makeFolder(path))).message).toContain('no folder can be created here');
});
