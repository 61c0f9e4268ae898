// Exported adapters equal the saved ones: scale · B A of every module, in the other program's layout and with its rule for the
// scale. What llama.cpp and mlx-lm compute with the files is in the titles.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { writeGgufAdapter } from '../../../../extension/src/engine/export/ggufAdapter.js';
import { savedLora } from '../../../../extension/src/engine/export/savedLora.js';
import { mlxAdapterFiles } from '../../../../extension/src/engine/export/mlxAdapter.js';
import { openGgufFile } from '../../../../extension/src/engine/files/gguf.js';
import { ggufTensorName } from '../../../../extension/src/engine/files/ggufNames.js';
import { rotaryRowsToGguf } from '../../../../extension/src/engine/files/ggufTransforms.js';
import { writeFolderFiles } from '../../../../extension/src/engine/files/folderFile.js';
import { openSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import type { Architecture } from '../../../../extension/src/engine/models/architecture.js';
import { architectureOf } from '../../../../extension/src/engine/models/registry.js';
import { openAdapter, type SavedAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';

const fixtures = 'test/fixtures/parity';
let folder: string;
let saved: SavedAdapter;
let architecture: Architecture;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterEach(() => {
  saved.close();
  rmSync(folder, { recursive: true });
});

function open(model: string, adapter: string): void {
  const config = JSON.parse(readFileSync(join(fixtures, model, 'config.json'), 'utf8'));
  architecture = architectureOf(config, model);
  saved = openAdapter(join(fixtures, model, adapter), architecture);
}

/** left [rows, inner] · right [inner, columns] · factor */
function product(left: Float32Array, right: Float32Array, inner: number, factor: number): Float32Array {
  const [rows, columns] = [left.length / inner, right.length / inner];
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let i = 0; i < inner; i++) sum += left[row * inner + i]! * right[i * columns + column]!;
      result[row * columns + column] = sum * factor;
    }
  return result;
}

function expectClose(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest, what).toBeGreaterThan(0);
  expected.forEach((value, i) => {
    if (Math.abs(value - actual[i]!) > 1e-5 * largest) expect.fail(`${what}[${i}]: ${actual[i]} is not ${value}`);
  });
}

const adapters: [model: string, adapter: string][] = [
  ['llama-tied', 'lora-all-linear'],
  ['llama-untied', 'lora-rslora-patterns'],
  ['llama-untied', 'lora-lm-head'],
  ['qwen3', 'lora-rslora-patterns'],
  ['gpt2', 'lora-default'],
  ['gpt2', 'lora-rslora-patterns-conv1d'],
];

describe.each(adapters)('%s, %s', (model, adapter) => {
  test('gguf: W + alpha / rank · lora_b lora_a, rows as llama.cpp has them', () => {
    open(model, adapter);
    const path = join(folder, 'adapter.gguf');
    writeGgufAdapter(path, saved, architecture);
    const file = openGgufFile(path);
    expect(Object.fromEntries(file.metadata)).toMatchObject({
      'general.architecture': model.split('-')[0],
      'general.type': 'adapter',
      'adapter.type': 'lora',
    });
    const alpha = file.metadata.get('adapter.lora.alpha') as number;
    const { factors } = savedLora(saved, architecture);
    expect(file.tensors.size).toBe(2 * factors.length);
    for (const { module, rank, scale, readA, readB } of factors) {
      const { name, transform } = ggufTensorName(model.split('-')[0]!, module.name)!;
      const a = file.tensors.get(`${name}.weight.lora_a`)!;
      const b = file.tensors.get(`${name}.weight.lora_b`)!;
      expect([a.shape, b.shape]).toEqual([
        [rank, module.inFeatures],
        [module.outFeatures, rank],
      ]);
      const delta = product(readB(), readA(), rank, scale);
      const { attention } = architecture.layers[0]!;
      const heads = { rotary_q: attention.heads, rotary_k: attention.keyValueHeads };
      const expected =
        transform === 'rotary_q' || transform === 'rotary_k'
          ? rotaryRowsToGguf(delta, heads[transform], module.inFeatures)
          : delta;
      expectClose(product(b.readFloat32(), a.readFloat32(), rank, alpha / rank), expected, name);
    }
    file.close();
  });

  test('mlx: W x + scale · (x lora_a) lora_b', async () => {
    open(model, adapter);
    const out = join(folder, 'mlx');
    await writeFolderFiles(out, mlxAdapterFiles(saved, architecture));
    const config = JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ fine_tune_type: 'lora', num_layers: architecture.layers.length });
    const { tensors, close } = openSafetensors(join(out, 'adapters.safetensors'));
    const largest = config.lora_parameters.rank;
    for (const { module, rank, scale, readA, readB } of savedLora(saved, architecture).factors) {
      const name = module.name.replace('transformer.', 'model.');
      const a = tensors.get(`${name}.lora_a`)!;
      const b = tensors.get(`${name}.lora_b`)!;
      // mlx-lm has one rank, and refuses tensors of another.
      expect([a.shape, b.shape]).toEqual([
        [module.inFeatures, largest],
        [largest, module.outFeatures],
      ]);
      const transposed = product(a.readFloat32(), b.readFloat32(), largest, config.lora_parameters.scale);
      const delta = product(readB(), readA(), rank, scale);
      const { inFeatures, outFeatures } = module;
      const expected = delta.map((_, i) => delta[(i % outFeatures) * inFeatures + Math.floor(i / outFeatures)]!);
      expectClose(transposed, expected, name);
      expect(config.lora_parameters.keys).toContain(name.replace(/^.*?\.\d+\./, ''));
    }
    close();
  });
});

test('one alpha / r for all modules stays a plain number in both files', async () => {
  open('llama-tied', 'lora-qv');
  writeGgufAdapter(join(folder, 'a.gguf'), saved, architecture);
  const file = openGgufFile(join(folder, 'a.gguf'));
  const { r, lora_alpha: alpha } = JSON.parse(readFileSync(saved.configFile, 'utf8'));
  expect(file.metadata.get('adapter.lora.alpha')).toBe(alpha);
  file.close();
  await writeFolderFiles(join(folder, 'mlx'), mlxAdapterFiles(saved, architecture));
  const { lora_parameters: parameters } = JSON.parse(readFileSync(join(folder, 'mlx', 'adapter_config.json'), 'utf8'));
  expect(parameters).toMatchObject({ rank: r, scale: alpha / r });
});

test.each([
  ['llama-tied', 'lora-dora', /DoRA/, /--to merged-gguf/],
  ['llama-untied', 'lora-save-lm-head', /modules_to_save: lm_head/, /--to merged-gguf/],
  ['gpt2', 'lora-bias-all-conv1d', /trained biases/, /--to merged-gguf/],
  ['llama-tied', 'lora-lm-head', /tied to the embedding/, /--to merged-gguf/],
  ['llama-tied', 'ia3', /adapter of IA3/, /--to merged-gguf/],
  ['llama-tied', 'prompt', /adapter of PROMPT_TUNING/, /can't be merged either/],
])('%s, %s is rejected with the reason', (model, adapter, message, hint) => {
  open(model, adapter);
  for (const attempt of [
    () => writeGgufAdapter(join(folder, 'out'), saved, architecture),
    () => mlxAdapterFiles(saved, architecture),
  ]) {
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(message);
    try {
      attempt();
    } catch (error) {
      expect((error as InputError).hint).toMatch(hint);
    }
  }
});
