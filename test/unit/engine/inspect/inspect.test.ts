// What `inspect` prints about models, adapters and rows.
import { expect, test } from 'vitest';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { encodeExample } from '../../../../extension/src/core/data/encodeExample.js';
import { openHuggingFaceFolder, readTokenizer } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { collapseLayers } from '../../../../extension/src/engine/inspect/collapse.js';
import {
  inspectAdapter,
  isAdapterFolder,
  readAdapterFolder,
} from '../../../../extension/src/engine/inspect/inspectAdapter.js';
import { rowParts } from '../../../../extension/src/engine/inspect/inspectDataset.js';
import { inspectModel } from '../../../../extension/src/engine/inspect/inspectModel.js';

const parity = 'test/fixtures/parity';

test('tensors of all blocks are grouped, gaps are shown and different shapes separate', () => {
  const tensor = (name: string, shape = [2, 3]) => ({ name, shape, dtype: 'F32' });
  const groups = collapseLayers([
    tensor('embed.weight', [9, 3]),
    ...[0, 1, 2, 5].map(layer => tensor(`layers.${layer}.up.weight`)),
    tensor('layers.3.up.weight', [4, 3]),
  ]);
  expect(groups.map(({ name, shape, count, parameters }) => [name, shape, count, parameters])).toEqual([
    ['embed.weight', [9, 3], 1, 27],
    ['layers.{0-2,5}.up.weight', [2, 3], 4, 24],
    ['layers.3.up.weight', [4, 3], 1, 12],
  ]);
});

test('a model: sizes, types and names without reading weights', () => {
  const files = openHuggingFaceFolder(`${parity}/llama-tied`, 'tiny');
  const model = inspectModel(files);
  files.close();
  expect(model).toMatchObject({
    modelType: 'llama',
    tieWordEmbeddings: true,
    tokenizer: null,
    hasChatTemplate: false,
    readsTools: false,
    dtypes: { F32: model.diskBytes },
    defaultTargets: { lora: ['q_proj', 'v_proj'] },
  });
  expect(model.tensors.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(model.parameters);
  expect(model.tensors.map(({ name }) => name)).toContain(`model.layers.{0-${model.numLayers - 1}}.mlp.up_proj.weight`);
});

test('a sliding window, and the number of layers with it', () => {
  const windows = ['llama-tied', 'mistral', 'qwen2-window'].map(name => {
    const files = openHuggingFaceFolder(`${parity}/${name}`, 'tiny');
    const { slidingWindow, slidingLayers } = inspectModel(files);
    files.close();
    return [slidingWindow, slidingLayers];
  });
  expect(windows).toEqual([
    [null, 0],
    [6, 2],
    [6, 1],
  ]);
});

test('an adapter: method, base and tensors without its base', () => {
  const adapter = inspectAdapter(`${parity}/llama-tied/lora-qv`);
  const { r } = readAdapterFolder(`${parity}/llama-tied/lora-qv`).config;
  expect(adapter).toMatchObject({ peftType: 'LORA', config: { r } });
  expect(adapter.config).not.toHaveProperty('modules_to_save');
  expect(4 * adapter.parameters).toBe(adapter.diskBytes);
  expect([isAdapterFolder(`${parity}/llama-tied`), isAdapterFolder(`${parity}/llama-tied/ia3`)]).toEqual([false, true]);
});

test('a row is split where labels begin and end, and its parts add up to the whole text', () => {
  const folder = 'test/fixtures/tokenizers/smollm';
  const tokenizer = createTokenizer(readTokenizer(folder)!);
  const row = encodeExample({ kind: 'completion', prompt: 'One and one is', completion: ' two.' }, tokenizer, {
    trainOn: 'completions',
  });
  const parts = rowParts(row, tokenizer);
  expect(parts.map(({ trained }) => trained)).toEqual([false, true]);
  expect(parts.map(({ text }) => text).join('')).toBe(tokenizer.decode(row.inputIds));
  expect(parts[1]!.text).toContain('two.');
});
