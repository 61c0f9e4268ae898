// Where certificates are kept, and under which name.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import {
  isAsCertified,
  isComplete,
  keepCertificate,
  readCertificate,
} from '../../../../extension/src/engine/export/certificateFile.js';
import { certificate } from '../../../support/certificates.js';

const run = mkdtempSync(join(tmpdir(), 'tunewright-certificates-'));
afterAll(() => rmSync(run, { recursive: true }));

it('has the name of the written file', () => {
  const path = join(run, 'exports', 'a model.gguf');
  const made = certificate('gguf', path, { run });
  expect(keepCertificate(made, path)).toBe(`${path}.certificate.json`);
  expect(readCertificate(`${path}.certificate.json`)).toEqual(made);
});

it.each([
  ['Ollama: pirate:latest', 'Ollama-pirate-latest'],
  ['LM Studio: me/pirate', 'pirate'],
])('of %s, it has a name that every file system takes', (place, name) => {
  const kept = keepCertificate(certificate('ollama', place, { run }), null);
  expect(kept).toBe(join(run, 'exports', `${name}.certificate.json`));
});

it('is not kept without a run and a place on the disk', () => {
  expect(keepCertificate(certificate('ollama', 'Ollama: pirate:latest', { run: null }), null)).toBeNull();
});

it('of another export with the same name, it has a number; that of the same one is replaced, also in a run that was moved', () => {
  const at = (folder: string) => join(folder, 'exports', 'same.gguf');
  const keep = (folder: string, path: string) => keepCertificate(certificate('gguf', path, { run: folder }), path);
  const moved = `${run}-moved`;
  const file = keep(run, at(run));
  const other = keep(run, join(tmpdir(), 'same.gguf'));
  expect(other).toBe(join(run, 'exports', 'same.gguf.2.certificate.json'));
  expect(keep(run, at(run))).toBe(file);
  renameSync(run, moved);
  try {
    expect(keep(moved, at(moved))).toBe(`${at(moved)}.certificate.json`);
    expect(keep(moved, join(tmpdir(), 'same.gguf'))).toBe(join(moved, 'exports', 'same.gguf.2.certificate.json'));
  } finally {
    renameSync(moved, run);
  }
});

it('tells what is missing from what is other', async () => {
  const path = join(run, 'exports', 'folder');
  const files = [
    { name: 'a', bytes: 1, sha256: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb' },
    { name: 'b', bytes: 1, sha256: '3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d' },
  ];
  const made = certificate('folder', path, { run, files });
  const file = keepCertificate(made, path);
  mkdirSync(path);
  writeFileSync(join(path, 'a'), 'a');
  expect([isComplete(path, made), await isAsCertified(path, file)]).toEqual([false, true]);
  writeFileSync(join(path, 'b'), 'b');
  expect([isComplete(path, made), await isAsCertified(path, file)]).toEqual([true, true]);
  writeFileSync(join(path, 'b'), 'c');
  expect([isComplete(path, made), await isAsCertified(path, file)]).toEqual([true, false]);
  rmSync(join(path, 'b'));
  writeFileSync(join(path, 'c'), 'c');
  expect([isComplete(path, made), await isAsCertified(path, file)]).toEqual([false, false]);
});
