// Where certificates are kept, and under which name.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { keepCertificate, readCertificate } from '../../../../extension/src/engine/export/certificateFile.js';
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
