// Complete models written and read: tied and untied heads, names without their prefix, unknown tensors.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { openSafetensors, writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { denseOf } from '../../../../extension/src/engine/models/quantizedWeight.js';
import { writeModelFolder } from '../../../../extension/src/engine/models/writeModelFolder.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { writeTinyModel } from '../../../support/tinyModels.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-models-'));
afterAll(() => rmSync(path, { recursive: true }));
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const readJson = (...parts: string[]) => JSON.parse(readFileSync(join(path, ...parts), 'utf8'));

describe('writeModelFolder', () => {
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
    await writeModelFolder(join(path, title), model, files, new Map(names.map(name => [name, tensor])));
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

  it('reads no weights before all tensors are found', async () => {
    const before = tf.memory().numTensors;
    const files = rewritten('less', name => name.replace('transformer.ln_f.bias', 'other'));
    const error = await inputErrorOf(() => loadModel(files));
    files.close();
    expect(error.message).toContain('transformer.ln_f.bias');
    expect(tf.memory().numTensors).toBe(before);
  });
});
