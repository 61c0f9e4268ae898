// What is left of a file when the program ends while it is being written.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { streamFileAtomically } from '../../../../extension/src/engine/files/atomicFile.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'atomic-'))));
afterEach(() => rmSync(folder, { recursive: true }));

it('is nothing if it ends at once, as at a second Ctrl-C; a file that was there stays', async () => {
  const others = process.listeners('exit');
  const path = join(folder, 'model.safetensors');
  writeFileSync(path, 'old');
  const written = streamFileAtomically(path, append => {
    append(Buffer.from('half'));
    expect(readdirSync(folder)).toHaveLength(2);
    for (const listener of process.listeners('exit').filter(each => !others.includes(each))) listener(0);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
    return Promise.reject(new Error('ended'));
  });
  await expect(written).rejects.toThrow('ended');
  expect(readdirSync(folder)).toEqual(['model.safetensors']);
});
