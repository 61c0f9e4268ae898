import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpackWheel } from '../../../../extension/src/engine/install/wheelArchive.js';
import { makeZip, type ZipEntry } from '../../../support/zipFile.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-wheel-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

async function unpack(entries: ZipEntry[], files = '.') {
  async function* wheel() {
    yield makeZip(entries);
  }
  await unpackWheel(wheel(), join(folder, 'target'), files);
}

describe('unpackWheel', () => {
  it('extracts the selected files, and keeps programs executable', async () => {
    const entries = [
      { name: 'nvidia/', content: '' },
      { name: 'nvidia/bin/ptxas', content: 'program', mode: 0o755 },
      { name: 'nvidia/lib/x.so', content: 'library' },
      { name: 'nvidia/other', content: 'other' },
    ];
    rmSync(folder, { recursive: true });
    await unpack(entries, 'bin/|lib/');
    const target = join(folder, 'target/nvidia');
    expect(readdirSync(target).sort()).toEqual(['bin', 'lib']);
    expect(readFileSync(join(target, 'bin/ptxas'), 'utf8')).toBe('program');
    expect(statSync(join(target, 'bin/ptxas')).mode & 0o777).toBe(0o755);
    expect(statSync(join(target, 'lib/x.so')).mode & 0o111).toBe(0);
  });

  it.each(['../outside', 'a/../../outside', '/outside', 'a\\..\\outside', 'C:outside', '..'])(
    'rejects the path %s',
    async name => {
      await expect(unpack([{ name, content: 'x' }])).rejects.toThrow(/outside its folder/);
      expect(existsSync(join(folder, 'outside'))).toBe(false);
      expect(existsSync('/outside')).toBe(false);
    },
  );

  it('rejects a file that is too large for the disk before writing it', async () => {
    const huge: ZipEntry = { name: 'a/huge', content: 'x', zip64: true, lie: { size: 1e18 } };
    await expect(unpack([huge])).rejects.toThrow(/are free/);
    expect(existsSync(join(folder, 'target/a/huge'))).toBe(false);
  });
});
