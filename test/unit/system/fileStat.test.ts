// What is at a path: one below a file, or a name that no file can have, is no error of the system.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isFolder, linkStatOf, statOf } from '../../../extension/src/system/fileStat.js';

const folder = mkdtempSync(join(tmpdir(), 'stat-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'file');
writeFileSync(file, 'text');
mkdirSync(join(folder, 'inner'));
symlinkSync(join(folder, 'inner'), join(folder, 'link'));
symlinkSync(join(folder, 'gone'), join(folder, 'dangling'));

test.each([
  ['a file', 'file', true, false],
  ['a folder', 'inner', true, true],
  ['a link to a folder', 'link', true, true],
  ['a link to nothing', 'dangling', false, false],
  ['nothing', 'missing', false, false],
  ['a path below a file', 'file/below', false, false],
  ['a path far below a file', 'file/far/below', false, false],
  ['a name that is too long', 'a'.repeat(300), false, false],
])('%s', (_what, path, exists, isAFolder) => {
  expect(statOf(join(folder, path)) !== undefined).toBe(exists);
  expect(isFolder(join(folder, path))).toBe(isAFolder);
});

test('a link itself', () => {
  expect(linkStatOf(join(folder, 'dangling'))!.isSymbolicLink()).toBe(true);
  expect(linkStatOf(join(folder, 'file/below'))).toBeUndefined();
});
