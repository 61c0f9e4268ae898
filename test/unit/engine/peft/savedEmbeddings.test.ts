// Adapters whose files also have an embedding or a head, with the losses that PEFT computes
// (test/fixtures/adapters/make.py): loaded, trained further, saved again, merged, exported, and refused.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { makeBatch } from '../../../../extension/src/engine/data/batches.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { writeGgufAdapter } from '../../../../extension/src/engine/export/ggufAdapter.js';
import { mlxAdapterFiles } from '../../../../extension/src/engine/export/mlxAdapter.js';
import { openHuggingFaceFolder } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { openSafetensors, writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import type { ModelFiles } from '../../../../extension/src/engine/files/tensorSource.js';
import type { CausalLm } from '../../../../extension/src/engine/models/causalLm.js';
import { architectureOfFiles, loadModel } from '../../../../extension/src/engine/models/loadModel.js';
import { writeModelFolder } from '../../../../extension/src/engine/models/writeModelFolder.js';
import { Adapter } from '../../../../extension/src/engine/peft/adapter.js';
import {
  checkAdapterTensors,
  loadAdapter,
  openAdapter,
  planOfSaved,
  saveAdapter,
} from '../../../../extension/src/engine/peft/adapterFiles.js';
import { currentKey } from '../../../../extension/src/engine/peft/savedEmbeddings.js';
import { evaluate } from '../../../../extension/src/engine/training/evaluate.js';
import { causalLm } from '../../../../extension/src/engine/training/objectives/causalLm.js';
import { computeGradients, scoreBatch } from '../../../../extension/src/engine/training/trainingStep.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { Decoder } from '../../../support/decoder.js';

const recorded = JSON.parse(readFileSync('test/fixtures/adapters/embeddings.json', 'utf8')) as {
  tokens: number[];
  adapters: Record<string, { model: string; rows: number | null; loss: number }>;
};
const cases = Object.entries(recorded.adapters);
const out = mkdtempSync(join(tmpdir(), 'tunewright-embeddings-'));
afterAll(() => rmSync(out, { recursive: true }));
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const adapterFolder = (name: string) => join('test/fixtures/adapters', name);
const openBase = (name: string) => openHuggingFaceFolder(join('test/fixtures/parity', name), name);
const open = (folder: string, files: ModelFiles) => openAdapter(folder, architectureOfFiles(files), { files });

const ids = Int32Array.from(recorded.tokens);
const batch = makeBatch(
  { sequences: [[0]] },
  { get: () => ({ inputIds: ids, labels: ids }), lengthOf: () => ids.length },
);

async function lossOf(model: CausalLm, adapter: Adapter | null): Promise<number> {
  const score = () => scoreBatch({ objective: causalLm, model }, adapter?.forwardOptions ?? {}, batch);
  return (await evaluate(causalLm, score, [batch], () => {})).loss;
}

/** Greedy, by captured graphs or op by op. */
async function answerOf(model: CausalLm, adapter: Adapter, compile: boolean): Promise<number[]> {
  const decoder = new Decoder({ model, adapter, compile, eagerTokens: 0 });
  const answer = await decoder.generate(recorded.tokens, { maxNewTokens: 8, stopTokenIds: [] });
  decoder.dispose();
  return answer;
}

describe.each(cases)('%s', (name, { model: base, rows, loss }) => {
  it('has the loss that PEFT computes, alone and merged', async () => {
    const before = tf.memory().numTensors;
    const files = openBase(base);
    const model = loadModel(files);
    const saved = open(adapterFolder(name), files);
    const adapter = loadAdapter(saved, model);
    expect(await lossOf(model, adapter)).toBeCloseTo(loss, 4);
    expect(await answerOf(model, adapter, true)).toEqual(await answerOf(model, adapter, false));

    const merged = adapter.merge()!;
    await writeModelFolder(join(out, name), model, files, merged);
    const config = JSON.parse(readFileSync(join(out, name, 'config.json'), 'utf8'));
    expect(config.vocab_size).toBe(rows ?? files.config['vocab_size']);
    adapter.dispose();
    model.dispose();
    saved.close();
    files.close();

    const writtenFiles = openHuggingFaceFolder(join(out, name), name);
    const written = loadModel(writtenFiles);
    expect(await lossOf(written, null)).toBeCloseTo(loss, 4);
    written.dispose();
    writtenFiles.close();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('can be trained further: its embedding stays as it is, and is saved again', async () => {
    const before = tf.memory().numTensors;
    const files = openBase(base);
    const model = loadModel(files);
    const saved = open(adapterFolder(name), files);
    checkAdapterTensors(saved, planOfSaved(saved, 'training'));
    const adapter = Adapter.attach(saved.attached, model, {
      purpose: 'training',
      rng: createRng(0),
      values: spec => saved.tensors.get(spec.key)?.readFloat32(),
    });
    adapter.takeOver();
    const training = { objective: causalLm, model, adapter };
    const { losses, tokenLosses, gradients } = computeGradients(training, [batch], createRng(0));
    expect((await losses[0]!.data())[0]).toBeCloseTo(loss, 4);
    expect([...gradients.keys()].toSorted()).toEqual([...adapter.variables.keys()].toSorted());
    tf.dispose([...losses, tokenLosses, ...gradients.values()]);

    await saveAdapter(join(out, `${name}-again`), adapter, base);
    adapter.dispose();
    model.dispose();
    saved.close();
    const again = open(join(out, `${name}-again`), files);
    const fresh = loadModel(files);
    const reloaded = loadAdapter(again, fresh);
    expect(await lossOf(fresh, reloaded)).toBeCloseTo(loss, 4);
    reloaded.dispose();
    fresh.dispose();
    again.close();
    files.close();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is not exported to formats without embeddings', async () => {
    const files = openBase(base);
    const saved = open(adapterFolder(name), files);
    const architecture = architectureOfFiles(files);
    for (const attempt of [
      () => writeGgufAdapter(join(out, 'exported'), saved, architecture),
      () => mlxAdapterFiles(saved, architecture),
    ])
      expect((await inputErrorOf(attempt)).message).toMatch(
        /saved with the adapter|modules_to_save|tied to the embedding/,
      );
    saved.close();
    files.close();
  });
});

describe('a resized vocabulary', () => {
  /** The adapter without some tensors, or with others. */
  function changed(name: string, change: (tensors: Map<string, number[]>) => void): string {
    const folder = join(out, 'changed');
    cpSync(adapterFolder(name), folder, { recursive: true });
    const { tensors, close } = openSafetensors(join(adapterFolder(name), 'adapter_model.safetensors'));
    const shapes = new Map([...tensors].map(([key, { shape }]) => [key, [...shape]]));
    change(shapes);
    writeSafetensors(
      join(folder, 'adapter_model.safetensors'),
      [...shapes].map(([key, shape]) => ({
        name: key,
        shape,
        dtype: 'F32',
        data: () => new Float32Array(shape.reduce((product, size) => product * size, 1)),
      })),
    );
    close();
    return folder;
  }
  const HEAD = 'base_model.model.lm_head.weight';

  it('needs both embedding and head', async () => {
    const files = openBase('llama-untied');
    const saved = open(
      changed('untied-more-rows', tensors => tensors.delete(HEAD)),
      files,
    );
    const error = await inputErrorOf(() => planOfSaved(saved, 'inference'));
    expect(error.message).toMatch(/vocabulary of 99 tokens, the base model one of 96, and the file has no lm_head/);
    expect(error.hint).toMatch(/resize_token_embeddings/);
    saved.close();
    files.close();
  });

  it('has the same rows in both', async () => {
    const files = openBase('llama-untied');
    const folder = changed('untied-more-rows', tensors => tensors.set(HEAD, [98, 32]));
    const error = await inputErrorOf(() => open(folder, files));
    expect(error.message).toMatch(/98 rows, but .*embed_tokens.weight has 99/);
    files.close();
  });

  it('has the width of the model', async () => {
    const files = openBase('llama-untied');
    const saved = open(
      changed('untied', tensors => tensors.set(HEAD, [96, 16])),
      files,
    );
    const error = await inputErrorOf(() => checkAdapterTensors(saved, planOfSaved(saved, 'inference')));
    expect(error.message).toMatch(/shape \[96, 16\], but this base model needs \[96, 32\]/);
    saved.close();
    files.close();
  });
});

it('a copy of the base’s embedding or head changes nothing, and the adapter can be exported', () => {
  const files = openBase('llama-untied');
  const saved = open('test/fixtures/parity/llama-untied/lora-lm-head', files);
  expect([...saved.embeddings]).toEqual(['base_model.model.lm_head.base_layer.weight']);
  expect(planOfSaved(saved, 'inference').filter(({ frozen }) => frozen)).toEqual([]);
  expect(mlxAdapterFiles(saved, architectureOfFiles(files)).size).toBe(2);
  saved.close();
  files.close();
});

it.each([
  ['base_model.model.lm_head.modules_to_save.default.weight', 'base_model.model.lm_head.weight'],
  ['base_model.model.lm_head.modules_to_save.weight', 'base_model.model.lm_head.weight'],
  ['base_model.model.lm_head.original_module.weight', null],
  ['base_model.model.x.q_proj.lora_A.default.weight', 'base_model.model.x.q_proj.lora_A.weight'],
  ['base_model.model.x.q_proj.lora_magnitude_vector.default.weight', 'base_model.model.x.q_proj.lora_magnitude_vector'],
  ['base_model.model.x.q_proj.lora_magnitude_vector.default', 'base_model.model.x.q_proj.lora_magnitude_vector'],
  ['base_model.model.x.default.q_proj.lora_A.weight', 'base_model.model.x.default.q_proj.lora_A.weight'],
  ['base_model.model.x.q_proj.base_layer.bias', 'base_model.model.x.q_proj.base_layer.bias'],
])('%s is read as %s', (name, key) => {
  expect(currentKey(name)).toBe(key);
});
