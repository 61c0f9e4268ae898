import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { freeFolder, replaceFolder } from '../../../../extension/src/host/commands/newFolder.js';

vi.mock('vscode', () => ({ workspace: { isTrusted: true } }));

let home: string;
let folder: string;
const fill = (text: string) => async (path: string) => {
  mkdirSync(path);
  writeFileSync(join(path, 'model'), text);
};

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-new-folder-'));
  folder = join(home, 'merged');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('a folder appears once it is complete, and replaces an existing one', async () => {
  await replaceFolder(folder, async path => {
    await fill('one')(path);
    expect(existsSync(folder)).toBe(false);
  });
  await replaceFolder(folder, fill('two'));
  expect(readFileSync(join(folder, 'model'), 'utf8')).toBe('two');
  expect(readdirSync(home)).toEqual(['merged']);
});

test('a failure keeps the existing folder, and leaves nothing else', async () => {
  await replaceFolder(folder, fill('one'));
  const failing = replaceFolder(folder, async path => {
    await fill('half')(path);
    throw new Error('cancelled');
  });
  await expect(failing).rejects.toThrow('cancelled');
  await expect(replaceFolder(folder, async () => {})).rejects.toThrow('ENOENT');
  expect(readFileSync(join(folder, 'model'), 'utf8')).toBe('one');
  expect(readdirSync(home)).toEqual(['merged']);
});

test('a number makes the name unique', () => {
  expect(freeFolder(folder)).toBe(folder);
  mkdirSync(folder);
  mkdirSync(`${folder}-2`);
  expect(freeFolder(folder)).toBe(`${folder}-3`);
});
