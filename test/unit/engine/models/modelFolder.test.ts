// Complete models written and read: tied and untied heads, names without their prefix, unknown tensors.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { openHuggingFaceFolder, readTokenizer } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { openSafetensors, writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import type { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { loadModel, modelWarnings } from '../../../../extension/src/engine/models/loadModel.js';
import { filesWithTemplate } from '../../../../extension/src/engine/models/modelOnDisk.js';
import { changedTo } from '../../../../extension/src/engine/models/changedParameters.js';
import { denseOf } from '../../../../extension/src/engine/models/quantizedWeight.js';
import { writeModelFolder } from '../../../../extension/src/engine/models/writeModelFolder.js';
import { baseVariant, writeVariant, type ConfigVariant } from '../../../support/configVariants.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { writeTinyModel } from '../../../support/tinyModels.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-models-'));
afterAll(() => rmSync(path, { recursive: true }));
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const readJson = (...parts: string[]) => JSON.parse(readFileSync(join(path, ...parts), 'utf8'));

describe('writeModelFolder', () => {
  it('copies every file of the tokenizer, and a run’s own template before the others', async () => {
    const from = writeTinyModel(join(path, 'with-template'));
    writeFileSync(join(from, 'special_tokens_map.json'), '{"unk_token": null}');
    const files = openHuggingFaceFolder(from, 'with-template');
    const model = loadModel(files);
    await writeModelFolder(join(path, 'copied'), model, files, new Map());
    expect(readJson('copied', 'special_tokens_map.json')).toEqual({ unk_token: null });
    expect(readJson('copied', 'tokenizer_config.json')).toEqual(readJson('with-template', 'tokenizer_config.json'));
    expect(existsSync(join(path, 'copied', 'chat_template.jinja'))).toBe(false);

    await writeModelFolder(join(path, 'own'), model, filesWithTemplate(files, 'OWN', { file: 'own.jinja' }), new Map());
    expect(readTokenizer(join(path, 'own'))!.config.chat_template).toBe('OWN');
    // Programs that look there first find no other one.
    expect(readJson('with-template', 'tokenizer_config.json')).toHaveProperty('chat_template');
    expect(readJson('own', 'tokenizer_config.json')).not.toHaveProperty('chat_template');
    model.dispose();
    files.close();
  });

  it('copies a tokenizer that can’t be used here', async () => {
    const from = writeTinyModel(join(path, 'unusable'));
    writeFileSync(join(from, 'tokenizer_config.json'), '{"split_special_tokens": true}');
    const files = openHuggingFaceFolder(from, 'unusable');
    const model = loadModel(files);
    await writeModelFolder(join(path, 'unusable-copied'), model, files, new Map());
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      expect(readJson('unusable-copied', name)).toEqual(readJson('unusable', name));
    model.dispose();
    files.close();
  });

  it.each([
    ['nothing changed', [], true, false],
    ['one new tensor for embedding and head', ['model.embed_tokens.weight', 'lm_head.weight'], true, false],
    ['a new head', ['lm_head.weight'], false, true],
    ['a new embedding', ['model.embed_tokens.weight'], false, true],
  ])('writes a tied model with %s', async (title, names, tied, hasHead) => {
    const before = tf.memory().numTensors;
    const files = openHuggingFaceFolder(writeTinyModel(join(path, 'tied')), 'tied');
    const model = loadModel(files);
    const tensor = tf.fill([522, 16], 0.5);
    const changed = changedTo(tensor);
    await writeModelFolder(join(path, title), model, files, new Map(names.map(name => [name, changed])));
    expect(readJson(title, 'config.json')).toMatchObject({ tie_word_embeddings: tied, torch_dtype: 'float32' });
    expect(readJson(title, 'tokenizer.json')).toEqual(readJson('tied', 'tokenizer.json'));

    const written = openHuggingFaceFolder(join(path, title), title);
    expect(written.tensors.has('lm_head.weight')).toBe(hasHead);
    const again = loadModel(written);
    for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
      const expected = names.includes(name) ? tensor : denseOf(model.weight(name));
      expect(denseOf(again.weight(name)).dataSync(), name).toEqual(expected.dataSync());
    }
    tensor.dispose();
    again.dispose();
    model.dispose();
    files.close();
    written.close();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a head of its own although tie_word_embeddings is true', () => {
  const tied = { ...baseVariant('llama').config, tie_word_embeddings: true };
  const head = 'lm_head.weight';
  const opened = (name: string, tensors: ConfigVariant['tensors']) =>
    openHuggingFaceFolder(writeVariant(join(path, name), { config: tied, tensors }), name);
  const valuesOf = (model: CausalLm, name: string) => [...denseOf(model.weight(name)).dataSync()];

  it('isn’t tied, with a warning, and is written as its own', async () => {
    const files = opened('own', { add: { [head]: [48, 32] } });
    const warnings: string[] = [];
    const model = loadModel(files, { onWarning: code => warnings.push(code) });
    expect(warnings).toEqual(['head_not_tied']);
    expect(model.architecture.tieWordEmbeddings).toBe(false);
    expect(valuesOf(model, head)).not.toEqual(valuesOf(model, 'model.embed_tokens.weight'));
    await writeModelFolder(join(path, 'rewritten'), model, files, new Map());
    files.close();
    expect(readJson('rewritten', 'config.json').tie_word_embeddings).toBe(false);
    const written = openHuggingFaceFolder(join(path, 'rewritten'), 'rewritten');
    expect(modelWarnings(written)).toEqual([]);
    const again = loadModel(written);
    expect(valuesOf(again, head)).toEqual(valuesOf(model, head));
    written.close();
    for (const owner of [model, again]) owner.dispose();
  });

  it('is tied if it is a copy of the embedding', async () => {
    const files = opened('copy', { copy: { [head]: 'model.embed_tokens.weight' } });
    expect(modelWarnings(files)).toEqual([]);
    const model = loadModel(files);
    expect(model.architecture.tieWordEmbeddings).toBe(true);
    await writeModelFolder(join(path, 'copied'), model, files, new Map());
    files.close();
    model.dispose();
    expect(readJson('copied', 'config.json').tie_word_embeddings).toBe(true);
  });

  it('has a shape of its own, which is named', async () => {
    const files = opened('larger', { add: { [head]: [50, 32] } });
    const error = await inputErrorOf(() => loadModel(files));
    files.close();
    expect(error.where).toContain(head);
    expect(error.message).toContain('[50, 32]');
  });

  it('is the embedding if that isn’t stored', () => {
    const files = opened('head only', { add: { [head]: [48, 32] }, drop: ['model.embed_tokens.weight'] });
    expect(modelWarnings(files)).toEqual([]);
    const model = loadModel(files);
    files.close();
    expect(valuesOf(model, 'model.embed_tokens.weight')).toEqual(valuesOf(model, head));
    model.dispose();
  });

  it('is missing in a model that isn’t tied', async () => {
    const config = { ...tied, tie_word_embeddings: false };
    const folder = writeVariant(join(path, 'headless'), { config, tensors: { drop: [head] } });
    const files = openHuggingFaceFolder(folder, 'headless');
    const error = await inputErrorOf(() => loadModel(files));
    files.close();
    expect(error.hint).toContain('tie_word_embeddings');
  });
});

describe('loadModel', () => {
  /** The model with its tensors renamed, and `extra` ones added. */
  const rewritten = (name: string, rename: (tensor: string) => string, extra: string[] = []) => {
    const folder = writeTinyModel(join(path, name), { modelType: 'gpt2' });
    const file = openSafetensors(join(folder, 'model.safetensors'));
    const entries = [...file.tensors.values()].map(({ name, shape, readFloat32 }) => {
      const values = readFloat32();
      return { name: rename(name), shape, dtype: 'F32' as const, data: () => values };
    });
    file.close();
    const more = extra.map(name => ({ name, shape: [1], dtype: 'F32' as const, data: () => new Float32Array(1) }));
    writeSafetensors(join(folder, 'model.safetensors'), [...entries, ...more]);
    return openHuggingFaceFolder(folder, name);
  };

  it('accepts the names of a model that was saved without its head, and skips old buffers', () => {
    const warnings: string[] = [];
    const files = rewritten('headless', name => name.replace(/^transformer\./, ''), [
      'h.0.attn.bias',
      'h.0.attn.masked_bias',
    ]);
    const progress: number[] = [];
    const onProgress = (done: number) => progress.push(done);
    loadModel(files, { onProgress, onWarning: code => warnings.push(code) }).dispose();
    files.close();
    expect(warnings).toEqual([]);
    expect(progress.at(-1)).toBe(files.tensors.size - 2);
  });

  it('warns about tensors that the architecture doesn’t have', () => {
    const warnings: string[] = [];
    const files = rewritten('more', name => name, ['score.weight']);
    loadModel(files, { onWarning: (code, message) => warnings.push(`${code} ${message}`) }).dispose();
    files.close();
    expect(warnings).toEqual([expect.stringMatching(/^tensors_unused .*score\.weight/)]);
  });

  it.each<[string, string, Record<string, number[]>]>([
    ['llama', 'model.layers.0.self_attn.q_proj.bias', { 'model.layers.0.self_attn.q_proj.bias': [32] }],
    ['llama', 'model.layers.2.mlp.down_proj.bias', { 'model.layers.2.mlp.down_proj.bias': [32] }],
    ['llama', 'model.layers.1.self_attn.q_norm.weight', { 'model.layers.1.self_attn.q_norm.weight': [8] }],
    ['qwen2', 'model.layers.0.self_attn.o_proj.bias', { 'model.layers.0.self_attn.o_proj.bias': [32] }],
    ['gpt2', 'transformer.h.0.crossattention.c_attn.bias', { 'transformer.h.0.crossattention.c_attn.bias': [64] }],
  ])('refuses a %s model whose layer has %s', async (modelType, name, add) => {
    const variant = { config: baseVariant(modelType).config, tensors: { add } };
    const files = openHuggingFaceFolder(writeVariant(join(path, 'further'), variant), 'further');
    const error = await inputErrorOf(() => loadModel(files));
    files.close();
    expect(error.where).toContain(name);
    expect(error.message).toContain('no such tensor');
  });

  it.each<[string, Record<string, number[]>, string[]]>([
    ['further layers', { 'model.layers.3.input_layernorm.weight': [32] }, ['tensors_unused']],
    ['another head', { 'score.weight': [2, 32], 'v_head.summary.weight': [1, 32] }, ['tensors_unused']],
    ['buffers', { 'model.layers.0.self_attn.rotary_emb.inv_freq': [4], 'model.rotary_emb.inv_freq': [4] }, []],
  ])('ignores %s', (_, add, codes) => {
    const variant = { config: baseVariant('llama').config, tensors: { add } };
    const files = openHuggingFaceFolder(writeVariant(join(path, 'ignored'), variant), 'ignored');
    const warnings = modelWarnings(files);
    files.close();
    expect(warnings.map(({ code }) => code)).toEqual(codes);
    for (const { message } of warnings) for (const name of Object.keys(add)) expect(message).toContain(name);
  });

  it('reads no weights before all tensors are found', async () => {
    const before = tf.memory().numTensors;
    const files = rewritten('less', name => name.replace('transformer.ln_f.bias', 'other'));
    const error = await inputErrorOf(() => loadModel(files));
    files.close();
    expect(error.message).toContain('transformer.ln_f.bias');
    expect(tf.memory().numTensors).toBe(before);
  });
});
