// Exports with a fault in what writes them: each is found when the result is read again, is said by its name, and leaves nothing.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CodedError } from '../../../../extension/src/core/codedError.js';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { openExportSource, type ExportSource } from '../../../../extension/src/engine/export/exportSource.js';
import { performExport } from '../../../../extension/src/engine/export/performExport.js';
import { loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../../../extension/src/engine/peft/adapter.js';
import { saveAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { exportEntrySchema } from '../../../../extension/src/protocol/exportConfig.js';

const fault = vi.hoisted(() => ({ name: '' }));

type GgufTypes = typeof import('../../../../extension/src/engine/files/ggufTokenizerMetadata.js');
vi.mock('../../../../extension/src/engine/files/ggufTokenizerMetadata.js', async importActual => {
  const actual = await importActual<GgufTypes>();
  return {
    ...actual,
    tokenizerMetadata: (...given: Parameters<GgufTypes['tokenizerMetadata']>) => {
      const metadata = actual.tokenizerMetadata(...given);
      const tokens = metadata.get('tokenizer.ggml.tokens') as { items: { value: string }[] };
      const at = (text: string) => tokens.items.find(({ value }) => value === text)!;
      if (fault.name === 'two tokens have changed places') {
        const [e, t] = [at('e'), at('t')];
        [e.value, t.value] = [t.value, e.value];
      }
      if (fault.name === 'another token ends an answer')
        metadata.set('tokenizer.ggml.eos_token_id', { type: 'uint32', value: tokens.items.indexOf(at('e')) });
      if (fault.name === 'a token before every text') {
        metadata.set('tokenizer.ggml.bos_token_id', { type: 'uint32', value: tokens.items.indexOf(at('e')) });
        metadata.set('tokenizer.ggml.add_bos_token', { type: 'bool', value: true });
      }
      return metadata;
    },
  };
});

type Templates = typeof import('../../../../extension/src/engine/export/ggufTemplates.js');
vi.mock('../../../../extension/src/engine/export/ggufTemplates.js', async importActual => {
  const actual = await importActual<Templates>();
  return {
    templateMetadata: (template: unknown) => {
      if (fault.name === 'no template') return new Map();
      return actual.templateMetadata(fault.name === 'a line more in the template' ? `${String(template)}\n` : template);
    },
  };
});

type Transforms = typeof import('../../../../extension/src/engine/files/ggufTransforms.js');
vi.mock('../../../../extension/src/engine/files/ggufTransforms.js', async importActual => {
  const actual = await importActual<Transforms>();
  return {
    ...actual,
    rotaryRowsToGguf: (...given: Parameters<Transforms['rotaryRowsToGguf']>) =>
      fault.name === 'rows not permuted' ? given[0] : actual.rotaryRowsToGguf(...given),
    toGgufLayout: (...given: Parameters<Transforms['toGgufLayout']>) =>
      fault.name === 'rows not permuted' ? given[0] : actual.toGgufLayout(...given),
  };
});

type Quantizers = typeof import('../../../../extension/src/engine/files/ggufQuantizers.js');
vi.mock('../../../../extension/src/engine/files/ggufQuantizers.js', async importActual => {
  const actual = await importActual<Quantizers>();
  return {
    ...actual,
    encodeRows: (type: string, values: Float32Array, place: Parameters<Quantizers['encodeRows']>[2]) =>
      actual.encodeRows(type, fault.name === 'scales a fifth too large' ? values.map(x => 1.2 * x) : values, place),
  };
});

type Lora = typeof import('../../../../extension/src/engine/export/savedLora.js');
vi.mock('../../../../extension/src/engine/export/savedLora.js', async importActual => {
  const actual = await importActual<Lora>();
  return {
    ...actual,
    scaled: (...[values, factor, module]: Parameters<Lora['scaled']>) =>
      actual.scaled(values, fault.name === 'half of the adapter' ? factor / 2 : factor, module),
  };
});

type Ends = typeof import('../../../../extension/src/engine/models/endTokens.js');
vi.mock('../../../../extension/src/engine/models/endTokens.js', async importActual => {
  const actual = await importActual<Ends>();
  return {
    ...actual,
    generationConfigOf: (files: Parameters<Ends['generationConfigOf']>[0]) =>
      fault.name === 'no token ends an answer' ? { eos_token_id: [] } : actual.generationConfigOf(files),
  };
});

const path = mkdtempSync(join(tmpdir(), 'tunewright-certificate-'));
const place = join(path, 'place');
const adapter = join(path, 'tuned', 'adapter');
let source: ExportSource;
let bare: ExportSource;

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  bare = await openExportSource({ model: 'embedded:tiny', adapters: [] }, '.', silentReporter);
  const model = loadModel(bare.base);
  const method = peftMethod('LORA')!;
  const config = method.schema.parse({ r: 4, target_modules: 'all-linear' });
  const made = Adapter.attach(new AttachedMethod(method, config, model.architecture), model, {
    purpose: 'training',
    rng: createRng(3),
  });
  for (const variable of made.variables.values())
    variable.assign(tf.add(variable, tf.randomNormal(variable.shape, 0, 0.05, 'float32', 5)));
  await saveAdapter(adapter, made, 'embedded:tiny');
  made.dispose();
  model.dispose();
  source = await openExportSource({ model: null, adapters: [adapter] }, '.', silentReporter);
});
afterEach(() => {
  fault.name = '';
  rmSync(place, { recursive: true, force: true });
});
afterAll(() => {
  source.close();
  bare.close();
  rmSync(path, { recursive: true });
});

const exportOf = (from: ExportSource, entry: Record<string, unknown>, out: string, force = false) =>
  performExport(
    {
      source: from,
      entry: exportEntrySchema.parse(entry),
      out,
      folder: place,
      engine: { backend: 'tensorflow', threads: null },
      reporter: silentReporter,
    },
    { signal: new AbortController().signal, compare: true, generalTexts: null, force },
  );

const FAULTS: [name: string, entry: Record<string, unknown>, message: RegExp][] = [
  [
    'two tokens have changed places',
    { target: 'gguf' },
    /(chat|text) 1 has other token ids, from the \d+th on: \d+ \("/,
  ],
  ['a token before every text', { target: 'gguf' }, /(chat|text) 1 has other token ids, from the \d+th on/],
  ['another token ends an answer', { target: 'gguf' }, /answers would end at "e" too|answers wouldn't end at "<\|/],
  ['no template', { target: 'gguf' }, /it lacks the chat template/],
  ['a line more in the template', { target: 'gguf' }, /it has another chat template, from line \d+ on/],
  ['rows not permuted', { target: 'gguf', type: 'f32' }, /differs by [\d.]+ nats per token on texts of many kinds/],
  ['rows not permuted', { target: 'gguf', type: 'q4_0' }, /differs by [\d.]+ nats per token/],
  ['scales a fifth too large', { target: 'gguf', type: 'q8_0' }, /and may by 0\.02/],
  ['scales a fifth too large', { target: 'folder', dtype: 'float16' }, /and may by 0\.0001/],
  ['no token ends an answer', { target: 'folder' }, /answers wouldn't end at "<\|/],
  ['no token ends an answer', { target: 'mlx' }, /answers wouldn't end at "<\|/],
  ['half of the adapter', { target: 'adapter_gguf' }, /differs by [\d.e-]+ nats per token/],
  ['half of the adapter', { target: 'adapter_mlx' }, /differs by [\d.e-]+ nats per token/],
  ['rows not permuted', { target: 'adapter_gguf' }, /differs by [\d.e-]+ nats per token/],
];

describe.each(FAULTS)('%s: %j', (name, entry, message) => {
  it('is found, and nothing is left', async () => {
    fault.name = name;
    mkdirSync(place, { recursive: true });
    const before = tf.memory().numTensors;
    const from = String(entry['target']).startsWith('adapter') ? source : bare;
    const work = exportOf(from, entry, join(place, 'out.gguf'));
    const error = (await work.catch((caught: unknown) => caught)) as CodedError;
    expect(error).toMatchObject({ code: 'export_differs' });
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/nothing was written$/);
    expect(error.hint).toBeTruthy();
    expect(readdirSync(place)).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('an existing file stays as it is', async () => {
  fault.name = 'no template';
  const out = join(place, 'kept.gguf');
  mkdirSync(place, { recursive: true });
  writeFileSync(out, 'mine');
  await expect(exportOf(bare, { target: 'gguf' }, out, true)).rejects.toMatchObject({ code: 'export_differs' });
  expect(readFileSync(out, 'utf8')).toBe('mine');
});

it('without a fault, the same exports are certified', async () => {
  for (const entry of FAULTS.map(([, each]) => each)) {
    const from = String(entry['target']).startsWith('adapter') ? source : bare;
    const { path: out, certificate } = await exportOf(from, entry, join(place, 'out'));
    expect(existsSync(out!)).toBe(true);
    expect(['same', 'within']).toContain(certificate!.verdict);
    rmSync(place, { recursive: true });
  }
});
