// What a push uploads of a folder: the files of a model or an adapter, no others, nothing through links, and no path of the machine.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { uploadedFiles } from '../../../../extension/src/engine/export/hubFiles.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

let place: string;
let folder: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'hub-files-'));
  folder = join(place, 'models--org--name', 'snapshots', 'c0ffee');
  mkdirSync(join(folder, 'additional_chat_templates'), { recursive: true });
});
afterEach(() => rmSync(place, { recursive: true }));

const write = (name: string, content = 'x') => writeFileSync(join(folder, name), content);
const names = () => uploadedFiles(folder, null).map(({ path }) => path);

it('files of models, adapters, tokenizers and licences; nothing else', () => {
  const uploaded = [
    'LICENSE',
    'NOTICE.txt',
    'adapter_config.json',
    'adapter_model.safetensors',
    'additional_chat_templates/tools.jinja',
    'chat_template.jinja',
    'config.json',
    'merges.txt',
    'model-00001-of-00002.safetensors',
    'model.safetensors.index.json',
    'tokenizer.model',
  ];
  const others = [
    'run.json',
    'training_args.bin',
    'README.md',
    '.env',
    'events.ndjson',
    'rows.jsonl',
    'trainer_state.json',
  ];
  for (const name of [...uploaded, ...others, 'additional_chat_templates/.hidden', 'a b.json']) write(name);
  mkdirSync(join(folder, 'folder.json'));
  expect(names()).toEqual(uploaded);
});

it.each([
  { path: '/home/me/models/base', named: 'base' },
  { path: '../models/base', named: 'base' },
  { path: 'C:\\Users\\me\\base', named: 'base' },
  { path: '~/base', named: 'base' },
  { path: 'file:///home/me/base', named: 'base' },
])('$path becomes a name', ({ path, named }) => {
  write('adapter_config.json', JSON.stringify({ base_model_name_or_path: path, r: 8 }));
  write('config.json', JSON.stringify({ _name_or_path: path }));
  const read = (base: string | null) =>
    uploadedFiles(folder, base).map(({ content }) => JSON.parse('bytes' in content ? String(content.bytes) : 'null'));
  expect(read(null)).toEqual([{ base_model_name_or_path: named, r: 8 }, { _name_or_path: named }]);
  expect(read('org/base')[0]).toEqual({ base_model_name_or_path: 'org/base', r: 8 });
});

it('other files are uploaded as they are, also those that are no JSON', () => {
  write('adapter_config.json', JSON.stringify({ base_model_name_or_path: 'org/base' }));
  write('tokenizer.json', '{');
  for (const { path, content } of uploadedFiles(folder, 'org/other'))
    expect(content).toEqual({ file: join(folder, path) });
});

it('follows links within the hub’s cache only', async () => {
  const blobs = join(place, 'models--org--name', 'blobs');
  mkdirSync(blobs);
  writeFileSync(join(blobs, 'abc'), '{}');
  symlinkSync('../../blobs/abc', join(folder, 'config.json'));
  expect(names()).toEqual(['config.json']);
  writeFileSync(join(place, 'secret'), 'secret');
  symlinkSync(join(place, 'secret'), join(folder, 'tokenizer.json'));
  const error = await inputErrorOf(names);
  expect(error.describe()).toContain(join(folder, 'tokenizer.json'));
});

it('follows no folder of templates that is a link', async () => {
  const outside = join(place, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret.jinja'), 'secret');
  rmSync(join(folder, 'additional_chat_templates'), { recursive: true });
  symlinkSync(outside, join(folder, 'additional_chat_templates'));
  expect((await inputErrorOf(names)).describe()).toContain('link');
});
