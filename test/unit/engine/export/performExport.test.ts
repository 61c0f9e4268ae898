// What others put at the place of an export while it is made is as safe as what was there before.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openExportSource, type ExportSource } from '../../../../extension/src/engine/export/exportSource.js';
import { performExport } from '../../../../extension/src/engine/export/performExport.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { exportEntrySchema } from '../../../../extension/src/protocol/exportConfig.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-export-'));
let source: ExportSource;
beforeAll(async () => {
  source = await openExportSource({ model: 'embedded:tiny', adapters: [] }, folder, silentReporter);
});
afterEach(() => readdirSync(folder).forEach(name => rmSync(join(folder, name), { recursive: true })));
afterAll(() => {
  source.close();
  rmSync(folder, { recursive: true });
});

/** @param meanwhile happens while the export is being written */
function exported(target: 'folder' | 'gguf', out: string, meanwhile: () => void, force = false) {
  let isWriting = false;
  const progress = () => {
    if (!isWriting) meanwhile();
    isWriting = true;
  };
  return performExport(
    {
      ...{ source, out, folder, entry: exportEntrySchema.parse({ target }) },
      ...{ engine: { backend: 'wasm', threads: null }, reporter: { ...silentReporter, progress } },
    },
    { signal: new AbortController().signal, compare: false, generalTexts: null, force },
  );
}

it('keeps a folder that has come meanwhile, and leaves nothing of its own', async () => {
  const out = join(folder, 'model');
  const work = exported('folder', out, () => {
    mkdirSync(out);
    writeFileSync(join(out, 'notes.txt'), 'mine');
  });
  expect((await inputErrorOf(() => work)).record()).toMatchObject({ file: out, message: 'the folder is not empty' });
  expect(readdirSync(folder)).toEqual(['model']);
  expect(readdirSync(out)).toEqual(['notes.txt']);
});

it('keeps a file that has come meanwhile, unless files are to be replaced', async () => {
  const out = join(folder, 'model.gguf');
  const write = () => writeFileSync(out, 'mine');
  const error = await inputErrorOf(() => exported('gguf', out, write));
  expect(error.record()).toMatchObject({ file: out, message: 'this file exists' });
  expect(readdirSync(folder)).toEqual(['model.gguf']);
  expect(readFileSync(out, 'utf8')).toBe('mine');
  await exported('gguf', out, write, true);
  expect(readFileSync(out).subarray(0, 4).toString()).toBe('GGUF');
});

it('takes an empty folder', async () => {
  const out = join(folder, 'model');
  await exported('folder', out, () => mkdirSync(out));
  expect(existsSync(join(out, 'config.json'))).toBe(true);
});

it('removes what an export to the same place has left that was killed, and nothing else', async () => {
  const ended = spawnSync(process.execPath, ['--version']).pid;
  const others = [`.other.${ended}.tmp`, `.model.gguf.${process.ppid}.tmp`, `model.gguf.${ended}.tmp`];
  for (const name of [...others, `.model.gguf.${ended}.tmp`]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'part'), 'x');
  }
  await exported('gguf', join(folder, 'model.gguf'), () => {});
  expect(readdirSync(folder)).toEqual([...others, 'model.gguf', 'model.gguf.certificate.json'].toSorted());
});
