// A Hugging Face folder: one file or shards, chat templates in different places, and malicious shards.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folder-'));
  write('config.json', { model_type: 'llama' });
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: unknown): void {
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
}
function writeWeights(name: string, tensor: string): void {
  writeSafetensors(join(folder, name), [{ name: tensor, shape: [2], dtype: 'F32', data: Float32Array.of(1, 2) }]);
}
const open = () => openHuggingFaceFolder(folder, 'my-model');

test('one file of weights, with tokenizer and generation config', () => {
  writeWeights('model.safetensors', 'w');
  write('tokenizer.json', { model: {} });
  write('tokenizer_config.json', { bos_token: '<s>', chat_template: 'in config' });
  write('generation_config.json', { eos_token_id: 2 });
  const model = open();
  expect(model).toMatchObject({
    reference: 'my-model',
    path: folder,
    format: 'huggingface',
    config: { model_type: 'llama' },
    generationConfig: { eos_token_id: 2 },
    tokenizer: { tokenizer: { model: {} }, config: { bos_token: '<s>', chat_template: 'in config' } },
  });
  expect([...model.tensors.get('w')!.readFloat32()]).toEqual([1, 2]);
  model.close();
});

test('a folder without tokenizer opens, its tokenizer is null', () => {
  writeWeights('model.safetensors', 'w');
  const model = open();
  expect([model.tokenizer, model.generationConfig]).toEqual([null, null]);
  model.close();
});

test.each([
  ['chat_template.jinja', 'from jinja', 'from jinja'],
  // Transformers' tokenizers don't read it.
  ['chat_template.json', { chat_template: 'from json' }, 'in config'],
  [
    'tokenizer_config.json',
    {
      chat_template: [
        { name: 'tool_use', template: 't' },
        { name: 'default', template: 'd' },
      ],
    },
    [
      { name: 'tool_use', template: 't' },
      { name: 'default', template: 'd' },
    ],
  ],
])('chat template of %s', (name, content, expected) => {
  writeWeights('model.safetensors', 'w');
  write('tokenizer.json', {});
  write('tokenizer_config.json', { chat_template: 'in config' });
  write(name, content);
  const model = open();
  expect(model.tokenizer!.config.chat_template).toEqual(expected);
  model.close();
});

test('shards', () => {
  writeWeights('model-1.safetensors', 'a');
  writeWeights('model-2.safetensors', 'b');
  write('model.safetensors.index.json', { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } });
  const model = open();
  expect([...model.tensors.keys()]).toEqual(['a', 'b']);
  expect([...model.tensors.get('b')!.readFloat32()]).toEqual([1, 2]);
  model.close();
});

test.each([
  ['a missing shard', { a: 'model-1.safetensors', b: 'model-9.safetensors' }, /model-9\.safetensors is missing/],
  ['a shard above the folder', { a: '../outside.safetensors' }, /outside the model's folder/],
  ['a shard above the folder, hidden', { a: 'x/../../outside.safetensors' }, /outside the model's folder/],
  ['an absolute shard', { a: '/etc/passwd' }, /outside the model's folder/],
  ['a shard that is not a string', { a: 7 }, /outside the model's folder/],
  ['a listed tensor that is absent', { nope: 'model-1.safetensors' }, /nope is listed in model-1\.safetensors/],
  ['no weight_map', undefined, /weight_map is missing/],
])('%s', (_name, weight_map, message) => {
  writeWeights('model-1.safetensors', 'a');
  write('model.safetensors.index.json', { weight_map });
  expect(open).toThrow(message);
});

test('only pytorch_model.bin, no weights, no config, broken JSON', () => {
  expect(open).toThrow(/neither model\.safetensors nor/);
  write('pytorch_model.bin', 'x');
  expect(open).toThrow(/only as pytorch_model\.bin/);
  write('config.json', '{\n "a": 1,\n oops }');
  expect(open).toThrow(expect.objectContaining({ name: 'InputError', where: `${join(folder, 'config.json')}:3:2` }));
  rmSync(join(folder, 'config.json'));
  expect(open).toThrow(/no config\.json/);
});

test.each(['config.json', 'generation_config.json'])('end tokens of %s that are no ids', file => {
  writeWeights('model.safetensors', 'w');
  for (const ends of ['</s>', [1, '2'], 0.5, { id: 1 }, [[1]]]) {
    write(file, { model_type: 'llama', eos_token_id: ends });
    expect(open).toThrow(expect.objectContaining({ name: 'InputError', where: `${join(folder, file)}: eos_token_id` }));
  }
  for (const ends of [null, 0, [1, 2], []]) {
    write(file, { model_type: 'llama', eos_token_id: ends });
    open().close();
  }
});

test('a folder instead of a file', () => {
  mkdirSync(join(folder, 'model.safetensors'));
  expect(open).toThrow(/not a file/);
});
