// Values that make a model useless are never written, whatever the target, nor adapters on what they don't fit; and the advice for a type that can't hold a value or has lost
// too much is one that the command accepts.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { finerAdvice } from '../../../../extension/src/engine/export/exportAdvice.js';
import { openExportSource, type ExportSource } from '../../../../extension/src/engine/export/exportSource.js';
import { performExport, planExport } from '../../../../extension/src/engine/export/performExport.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../../../extension/src/engine/peft/adapter.js';
import { saveAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { exportEntrySchema, exportSchemas, type ExportEntry } from '../../../../extension/src/protocol/exportConfig.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-advice-'));
const place = join(path, 'place');
let bare: ExportSource;

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  bare = await openExportSource({ model: 'embedded:tiny', adapters: [] }, '.', silentReporter);
});
afterAll(() => {
  bare.close();
  rmSync(path, { recursive: true });
});

/** A LoRA adapter of one module, all of whose values of lora_B are this one. */
async function adapterWith(value: number, config: Record<string, unknown> = {}): Promise<string> {
  const folder = join(path, `adapter-${value}`);
  const model = loadModel(bare.base);
  const method = peftMethod('LORA')!;
  const parsed = method.schema.parse({ r: 2, target_modules: ['q_proj'], ...config });
  const made = Adapter.attach(new AttachedMethod(method, parsed, model.architecture), model, {
    purpose: 'training',
    rng: createRng(3),
  });
  for (const [name, variable] of made.variables)
    variable.assign(tf.fill(variable.shape, name.includes('lora_B') ? value : 1));
  await saveAdapter(folder, made, 'embedded:tiny');
  made.dispose();
  model.dispose();
  return folder;
}

const opened = (adapter: string) => openExportSource({ model: null, adapters: [adapter] }, '.', silentReporter);

async function refusal(source: ExportSource, entry: Record<string, unknown>, isListed = false): Promise<string> {
  const before = tf.memory().numTensors;
  const request = {
    source,
    entry: exportEntrySchema.parse(entry),
    out: join(place, 'out'),
    folder: place,
    engine: { backend: 'tensorflow', threads: null } as const,
    reporter: silentReporter,
  };
  const options = { signal: new AbortController().signal, compare: false, generalTexts: null, force: false, isListed };
  const error = await inputErrorOf(() => performExport(request, options));
  expect(existsSync(place) ? readdirSync(place) : []).toEqual([]);
  expect(tf.memory().numTensors).toBe(before);
  return error.describe();
}

it.each([NaN, Infinity, -Infinity])(
  'an adapter with %s is refused when it is opened, by tensor and file',
  async value => {
    const adapter = await adapterWith(value);
    const error = await inputErrorOf(() => opened(adapter));
    expect(error.record().file).toBe(join(adapter, 'adapter_model.safetensors'));
    expect(error.record().key).toMatch(/layers\.0\.self_attn\.q_proj\.lora_B\.weight$/);
    expect(error.message).toContain('non-finite');
  },
);

it('an adapter that is named twice, or put on a base with other tokens, is refused', async () => {
  const adapter = await adapterWith(0.5);
  const open = (model: string | null, adapters: string[]) => openExportSource({ model, adapters }, '.', silentReporter);
  const link = join(path, 'link');
  symlinkSync(adapter, link);
  expect((await inputErrorOf(() => open(null, [adapter, link]))).describe()).toMatch(/link: --adapter: .* named twice/);
  const copy = join(path, 'other-tokens');
  cpSync('media/models/tiny', copy, { recursive: true });
  (await open(copy, [adapter])).close();
  const tokenizer = JSON.parse(readFileSync(join(copy, 'tokenizer.json'), 'utf8'));
  const { vocab } = tokenizer.model;
  [vocab.e, vocab.t] = [vocab.t, vocab.e];
  writeFileSync(join(copy, 'tokenizer.json'), JSON.stringify(tokenizer));
  const error = await inputErrorOf(() => open(copy, [adapter]));
  expect(error.message).toContain('was trained on embedded:tiny, which has other tokens');
});

it('finite values whose product is not are found when they are written', async () => {
  const source = await opened(await adapterWith(3e38, { lora_alpha: 64 }));
  for (const target of ['folder', 'gguf', 'mlx'])
    expect(await refusal(source, { target })).toMatch(/q.*: a value of the tensor is non-finite/);
  source.close();
});

describe('a value that the type can’t hold', () => {
  it.each([
    [{ target: 'folder', dtype: 'float16' }, '--dtype bfloat16', '--to merged-folder'],
    [{ target: 'mlx', dtype: 'float16' }, '--dtype bfloat16', '--to merged-mlx'],
    [{ target: 'gguf', type: 'f16' }, '--type bf16', '--to merged-gguf'],
    [{ target: 'gguf', touched: 'f16' }, '--touched bf16', '--to merged-gguf'],
  ])('%j: %s', async (entry, option, to) => {
    const adapter = await adapterWith(7e4);
    const source = await opened(adapter);
    expect(await refusal(source, entry)).toMatch(new RegExp(`too large for F16\\.\\n  Choose ${option}\\.$`));
    expect(await refusal(source, entry, true)).toContain(`Run tunewright export --adapter ${adapter} ${to} ${option}.`);
    source.close();
  });
});

describe('a type with more bits', () => {
  const advice = (entry: Record<string, unknown>, types: string[], adapters = 1) => {
    const source = { ...bare, adapters: Array.from({ length: adapters }, () => ({ folder: 'A' })) };
    const parsed: ExportEntry = exportEntrySchema.parse(entry);
    const text = finerAdvice({ source: source as unknown as ExportSource, entry: parsed }, types);
    const [, key, value] = /^choose --(\w+) (\w+)$/.exec(text ?? '') ?? [];
    if (key !== undefined)
      expect(exportSchemas[parsed.target].safeParse({ ...parsed, [key]: value }).success, text!).toBe(true);
    return text;
  };

  it('is that of what an adapter changes, if only that is written anew', () => {
    expect(advice({ target: 'gguf' }, ['Q4_0'])).toBe('choose --touched q8_0');
    expect(advice({ target: 'gguf' }, ['BF16'])).toBe('choose --touched f16');
    expect(advice({ target: 'gguf' }, ['Q8_0', 'F32'])).toBe('choose --touched f16');
    expect(advice({ target: 'gguf', touched: 'q8_0' }, ['Q8_0'])).toBe('choose --touched f16');
    expect(advice({ target: 'gguf', touched: 'f16' }, ['F16'])).toBe('choose --touched f32');
    expect(advice({ target: 'gguf' }, ['F32'])).toBe(null);
  });

  it('is that of the model, if all is written anew, or there is no other', () => {
    expect(advice({ target: 'gguf', type: 'q4_0', touched: 'f16' }, ['Q4_0', 'F16'])).toBe('choose --type q8_0');
    expect(advice({ target: 'gguf', type: 'bf16' }, ['BF16'], 0)).toBe('choose --type f16');
    expect(advice({ target: 'ollama' }, ['Q4_0'])).toBe('choose --type q8_0');
    expect(advice({ target: 'lm_studio', type: 'q8_0' }, ['Q8_0'])).toBe('choose --type f16');
    expect(advice({ target: 'hub', content: 'gguf', type: 'q8_0' }, ['Q8_0'])).toBe('choose --type f16');
  });

  it('is one of a folder', () => {
    expect(advice({ target: 'folder', dtype: 'bfloat16' }, ['BF16'])).toBe('choose --dtype float16');
    expect(advice({ target: 'folder', dtype: 'float16' }, ['F16'])).toBe('choose --dtype float32');
    expect(advice({ target: 'hub', content: 'folder', dtype: 'bfloat16' }, ['BF16'])).toBe('choose --dtype float16');
    expect(advice({ target: 'mlx', dtype: 'bfloat16' }, ['BF16'])).toBe('choose --dtype float16');
    expect(advice({ target: 'mlx', dtype: 'float16' }, ['F16'])).toBe(null);
  });
});

it('a plan of a type that can’t hold a value says the same', async () => {
  const source = await opened(await adapterWith(7e4));
  const engine = { backend: 'tensorflow', threads: null } as const;
  const entry = exportEntrySchema.parse({ target: 'folder', dtype: 'float16' });
  const request = { source, entry, out: join(place, 'out'), folder: place, engine, reporter: silentReporter };
  expect((await inputErrorOf(() => planExport(request))).hint).toBe('Choose --dtype bfloat16.');
  source.close();
});
