// Merging in this process: nothing is left of what is cancelled or refused; types, shards and adapters that undo each other.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { readGgufHeader } from '../../../../extension/src/engine/files/ggufHeader.js';
import { openGguf } from '../../../../extension/src/engine/files/ggufModel.js';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { RandomAccessFile } from '../../../../extension/src/engine/files/randomAccessFile.js';
import { sameValues, type ModelFiles } from '../../../../extension/src/engine/files/tensorSource.js';
import { architectureOfFiles, loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { Adapter } from '../../../../extension/src/engine/peft/adapter.js';
import { openAdapter, saveAdapter } from '../../../../extension/src/engine/peft/adapterFiles.js';
import { AttachedMethod } from '../../../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../../../extension/src/engine/peft/registry.js';
import {
  mergeIntoFolder,
  mergeIntoGguf,
  type GgufMergeOptions,
} from '../../../../extension/src/engine/export/mergeModel.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { baseVariant, writeVariant } from '../../../support/configVariants.js';
import { writeGgufModel } from '../../../support/ggufModel.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { writeTinyModel } from '../../../support/tinyModels.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-merge-'));
afterAll(() => rmSync(path, { recursive: true }));
const folder = join(path, 'base');
const gguf = join(path, 'base.gguf');
const adapters: Record<string, string> = {};

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  writeTinyModel(folder);
  writeGgufModel(gguf, 'media/models/tiny', 'Q8_0');
  const kinds = {
    lora: { target_modules: ['q_proj'] },
    head: { target_modules: ['q_proj'], modules_to_save: ['lm_head'] },
    headLora: { target_modules: ['lm_head'] },
  };
  for (const [base, files] of [
    ['folder', openHuggingFaceFolder(folder, 'base')],
    ['gguf', openGguf(gguf, 'base')],
  ] as const) {
    for (const [name, options] of Object.entries(kinds))
      adapters[`${base}-${name}`] = await madeAdapter(`${base}-${name}`, files, options);
    files.close();
  }
});

/** A LoRA adapter that changes something. */
async function madeAdapter(name: string, files: ModelFiles, options: Record<string, unknown>): Promise<string> {
  const model = loadModel(files);
  const method = peftMethod('LORA')!;
  const attached = new AttachedMethod(method, method.schema.parse(options), model.architecture);
  const adapter = Adapter.attach(attached, model, { purpose: 'training', rng: createRng(3) });
  for (const variable of adapter.variables.values()) variable.assign(tf.add(variable, 0.05));
  await saveAdapter(join(path, name), adapter, 'base');
  adapter.dispose();
  model.dispose();
  return join(path, name);
}

const open = (base: 'folder' | 'gguf') =>
  base === 'gguf' ? openGguf(gguf, 'base') : openHuggingFaceFolder(folder, 'base');
const saved = (files: ModelFiles, ...names: string[]) =>
  names.map(name => openAdapter(adapters[name]!, architectureOfFiles(files), { files }));
const running = () => ({
  reporter: silentReporter,
  signal: new AbortController().signal,
  ...{ compare: false, generalTexts: null, run: null },
});
const ggufOptions = (changes: Partial<GgufMergeOptions> = {}): GgufMergeOptions => ({
  ...running(),
  type: 'own',
  touched: null,
  ...changes,
});

/** Names in the folder that a failed merge has left. */
const left = () => readdirSync(path).filter(name => /^out|tmp/.test(name));

/** Cancels at the third tensor. */
function cancelledLater() {
  const stop = new AbortController();
  let tensors = 0;
  const progress = () => {
    if (++tensors === 3) stop.abort();
  };
  return { signal: stop.signal, reporter: { ...silentReporter, progress } };
}

describe('cancelled in the middle', () => {
  it('leaves no file', async () => {
    const before = tf.memory().numTensors;
    const files = open('gguf');
    const work = mergeIntoGguf(join(path, 'out.gguf'), files, saved(files, 'gguf-lora'), ggufOptions(cancelledLater()));
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    files.close();
    expect(left()).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('a weight that float16 can’t hold is refused by its name, and nothing is left', async () => {
  const files = open('gguf');
  const name = 'model.layers.0.self_attn.q_proj.weight';
  const tensors = new Map(files.tensors);
  const stored = tensors.get(name)!;
  const spoiled = (values: Float32Array) => values.fill(7e4, 0, 1);
  tensors.set(name, {
    ...stored,
    readFloat32: () => spoiled(stored.readFloat32()),
    readRows: (first, count) => spoiled(stored.readRows(first, count)),
  });
  const large = { ...files, tensors };
  const options = ggufOptions({ touched: 'f16' });
  const error = await inputErrorOf(() =>
    mergeIntoGguf(join(path, 'out.gguf'), large, saved(large, 'gguf-lora'), options),
  );
  expect(error.describe()).toMatch(/blk\.0\.attn_q\.weight.*too large for F16/);
  expect(left()).toEqual([]);
  const work = mergeIntoFolder(join(path, 'large'), large, [], { ...running(), dtype: 'F16', maxShardBytes: Infinity });
  await expect(work).rejects.toThrow(/too large for F16/);
  files.close();
  expect(existsSync(join(path, 'large', 'model.safetensors'))).toBe(false);
});

it.each([
  ['F32', 'float32', 0],
  ['F16', 'float16', 2e-3],
  ['BF16', 'bfloat16', 2e-2],
] as const)('a folder in %s is split as Transformers splits it, and read again', async (dtype, name, most) => {
  const files = open('folder');
  const out = join(path, `sharded-${name}`);
  const maxShardBytes = 20_000;
  const { changed_parameters: changed } = await mergeIntoFolder(out, files, saved(files, 'folder-lora'), {
    ...running(),
    dtype,
    maxShardBytes,
  });
  expect(changed).toBe(2);
  const json = (file: string) => JSON.parse(readFileSync(join(out, file), 'utf8'));
  expect(json('config.json').torch_dtype).toBe(name);
  const index = json('model.safetensors.index.json');
  const weights = readdirSync(out).filter(file => file.endsWith('.safetensors'));
  expect(weights.length).toBeGreaterThan(1);
  expect([...new Set(Object.values(index.weight_map))].toSorted()).toEqual(weights.toSorted());
  const written = openHuggingFaceFolder(out, 'written');
  expect(Object.keys(index.weight_map)).toEqual([...written.tensors.keys()].toSorted());
  const bytes = [...written.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(index.metadata.total_size).toBe(bytes);
  for (const [tensor, { readFloat32, dtype: stored }] of written.tensors) {
    expect(stored).toBe(dtype);
    if (tensor.includes('q_proj')) continue;
    const expected = files.tensors.get(tensor)!.readFloat32();
    expect(Math.max(...readFloat32().map((value, i) => Math.abs(value - expected[i]!))), tensor).toBeLessThanOrEqual(
      most,
    );
  }
  written.close();
  files.close();
});

it('a base in K types keeps its mix, byte for byte but for what changes', async () => {
  const config = { ...baseVariant('llama').config, hidden_size: 256, intermediate_size: 256, head_dim: 64 };
  const wide = writeVariant(join(path, 'wide'), { config: { ...config, vocab_size: 530 } });
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    cpSync(join('test/fixtures/tokenizers/gpt2', name), join(wide, name));
  const source = openHuggingFaceFolder(wide, 'wide');
  const mixed = join(path, 'wide.gguf');
  const { types } = await mergeIntoGguf(mixed, source, [], ggufOptions({ type: 'q4_k_m' }));
  source.close();
  // Of 3 layers, the last one has its value and down projections in Q6_K, as is the head.
  expect(types).toEqual({ Q4_K: 20, Q6_K: 3, F32: 7 });
  const files = openGguf(mixed, 'mixed');
  const adapter = await madeAdapter('wide', files, { target_modules: ['v_proj'] });
  const out = join(path, 'wide-merged.gguf');
  const answer = await mergeIntoGguf(
    out,
    files,
    [openAdapter(adapter, architectureOfFiles(files), { files })],
    ggufOptions(),
  );
  expect(answer.types).toEqual(types);
  const written = openGguf(out, 'written');
  for (const [name, tensor] of written.tensors) {
    const before = files.tensors.get(name)!;
    expect(tensor.dtype, name).toBe(before.dtype);
    expect(sameValues(tensor, before), name).toBe(!name.includes('v_proj'));
  }
  written.close();
  files.close();

  // A scale of a tensor that no adapter changes.
  const reader = new RandomAccessFile(mixed);
  const { tensors, dataStart } = readGgufHeader(reader);
  reader.close();
  const spoiled = tensors.find(({ name }) => name === 'blk.1.ffn_down.weight')!;
  const bytes = readFileSync(mixed);
  bytes.writeUInt16LE(0x7e00, dataStart + spoiled.offset);
  writeFileSync(mixed, bytes);
  const damaged = openGguf(mixed, 'mixed');
  const lora = [openAdapter(adapter, architectureOfFiles(damaged), { files: damaged })];
  const error = await inputErrorOf(() => mergeIntoGguf(join(path, 'out.gguf'), damaged, lora, ggufOptions()));
  damaged.close();
  expect(error.describe()).toMatch(/wide\.gguf.*blk\.1\.ffn_down\.weight.*non-finite/);
  expect(left()).toEqual([]);
});

it('an adapter that would undo another one is refused; before it, it is merged', async () => {
  const files = open('gguf');
  const undone = () =>
    mergeIntoGguf(join(path, 'out.gguf'), files, saved(files, 'gguf-headLora', 'gguf-head'), ggufOptions());
  expect((await inputErrorOf(undone)).describe()).toMatch(/gguf-head.*lm_head\.weight.*has changed/);
  expect(left()).toEqual([]);
  const out = join(path, 'both.gguf');
  await mergeIntoGguf(out, files, saved(files, 'gguf-head', 'gguf-headLora'), ggufOptions({ compare: true }));
  const written = openGguf(out, 'both');
  // The head is no longer the embedding.
  expect(architectureOfFiles(written).tieWordEmbeddings).toBe(false);
  expect(existsSync(out)).toBe(true);
  written.close();
  files.close();
});
