import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newPlace, replaceFolder } from '../../../../extension/src/host/commands/newFolder.js';

const asked = vi.hoisted(() => vi.fn<(message: string, options: object, ...offered: string[]) => Promise<unknown>>());
vi.mock('vscode', () => ({ workspace: { isTrusted: true }, window: { showWarningMessage: asked } }));

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

describe('a new place', () => {
  const both = { replace: true, keepBoth: true };
  beforeEach(() => asked.mockReset());

  test('that is free is taken without a question', async () => {
    expect(await newPlace(folder, { offers: both })).toEqual({ path: folder, replaces: false });
    expect(asked).not.toHaveBeenCalled();
  });

  test('with the first free number, before the ending of a file', async () => {
    asked.mockResolvedValue('Keep Both');
    for (const name of ['v1.5', 'v1.5-2', 'a.gguf']) mkdirSync(join(home, name));
    const placed = async (name: string, extension?: string) =>
      (await newPlace(join(home, name), { extension, offers: both }))!.path;
    expect(await placed('v1.5')).toBe(join(home, 'v1.5-3'));
    expect(await placed('a.gguf', '.gguf')).toBe(join(home, 'a-2.gguf'));
  });

  test('replaces what is there if that is offered and chosen, and is none if the question is closed', async () => {
    mkdirSync(folder);
    asked.mockResolvedValueOnce('Replace').mockResolvedValue(undefined);
    expect(await newPlace(folder, { offers: both })).toEqual({ path: folder, replaces: true });
    expect(await newPlace(folder, { offers: { replace: false, keepBoth: true } })).toBeUndefined();
    expect(asked.mock.calls.map(([, , ...offered]) => offered)).toEqual([['Replace', 'Keep Both'], ['Keep Both']]);
  });
});
