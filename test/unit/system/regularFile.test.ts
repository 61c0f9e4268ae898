// Files that someone else has named: pipes, sockets, devices and links, none of which may hang, be read without end or be written to.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  appendLine,
  openRegularFile,
  readBytes,
  readText,
  regularFileSize,
  writeWhole,
} from '../../../extension/src/system/regularFile.js';
import { inputErrorOf } from '../../support/inputErrors.js';

let folder: string;
let server: Server;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-files-'));
  execFileSync('mkfifo', [at('pipe')]);
  mkdirSync(at('folder'));
  writeFileSync(at('file'), 'text');
  symlinkSync(at('file'), at('link'));
  symlinkSync('/dev/zero', at('endless'));
  symlinkSync(at('pipe'), at('link-to-pipe'));
  symlinkSync(at('nothing'), at('dangling'));
  symlinkSync(at('loop'), at('loop'));
  server = createServer().listen(at('socket'));
  await new Promise(resolve => server.once('listening', resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const NOT_FILES = ['pipe', 'folder', 'endless', 'link-to-pipe', 'socket', 'loop'];

describe.runIf(process.platform !== 'win32')('what is not a regular file', () => {
  it.each(NOT_FILES)('is an error that names it when it is read: %s', async name => {
    const error = await inputErrorOf(() => readText(at(name)));
    expect(error.where).toBe(at(name));
    expect(error.message).toMatch(/not a file but a|can't be opened \(ELOOP\)/);
    expect(regularFileSize(at(name), 'follow')).toBeNull();
  });

  it.each(NOT_FILES)('is an error when it is written to: %s', name => {
    expect(() => appendLine(at(name), 'x')).toThrow(/not a file|symbolic link/);
    expect(() => writeWhole(at(name), 'x', 'follow', 'write')).toThrow(/not a file|ELOOP/);
  });

  it('is an error by its path, too, not only by a link', async () => {
    for (const path of ['/dev/zero', '/dev/null']) await inputErrorOf(() => openRegularFile(path));
  });
});

it('a link to a regular file is read where links are followed, as in the cache of Hugging Face', () => {
  expect(readText(at('link'))).toBe('text');
});

it('a file in a folder that is a link is read where links are refused', () => {
  symlinkSync(folder, at('itself'));
  expect(readText(join(at('itself'), 'file'), 'refuse')).toBe('text');
});

it('a missing file is null, and so is a link to nothing where links are followed', async () => {
  expect(readText(at('nothing'))).toBeNull();
  expect(readText(at('dangling'))).toBeNull();
  await inputErrorOf(() => readText(at('dangling'), 'refuse'));
});

it('a link is neither read nor written where links are refused', async () => {
  for (const use of [
    () => readText(at('link'), 'refuse'),
    () => appendLine(at('link'), 'x'),
    () => writeWhole(at('link'), 'x', 'refuse', 'write'),
    () => appendLine(at('dangling'), 'x'),
  ])
    expect((await inputErrorOf(use)).message).toContain('symbolic link');
  expect(() => writeWhole(at('dangling'), 'x', 'refuse', 'create')).toThrow();
  expect(readFileSync(at('file'), 'utf8')).toBe('text');
  expect(existsSync(at('nothing'))).toBe(false);
});

it('a file that is too large is not read', async () => {
  writeFileSync(at('sparse'), '');
  truncateSync(at('sparse'), 2 ** 40);
  expect((await inputErrorOf(() => readText(at('sparse')))).message).toContain('too large');
  expect((await inputErrorOf(() => readBytes(at('file'), 'follow', 3))).message).toContain('too large');
});

it.runIf(process.platform === 'linux')('no more is read than the size that a file says it has', () => {
  // It says 0, and can be read for 512 GB.
  expect(readBytes('/proc/self/pagemap')).toHaveLength(0);
});

it('a text that is not UTF-8 is an error', async () => {
  writeFileSync(at('latin1'), Buffer.from([0xe9]));
  expect((await inputErrorOf(() => readText(at('latin1')))).message).toContain('UTF-8');
});

it('a file is written as a whole, appended to, or created once', () => {
  writeWhole(at('new'), 'long text\n', 'refuse', 'create');
  expect(() => writeWhole(at('new'), 'other', 'refuse', 'create')).toThrow(/EEXIST/);
  writeWhole(at('new'), 'short\n', 'refuse', 'write');
  appendLine(at('new'), 'line');
  expect(readText(at('new'), 'refuse')).toBe('short\nline\n');
});
