// The run that teaches a result its corrections: what it continues, what it keeps, and how few rows are trained.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test, vi } from 'vitest';
import { MAX_CORRECTIONS } from '../../../../extension/src/core/runs/correctionTraining.js';
import { runOnCorrections } from '../../../../extension/src/host/corrections/runOnCorrections.js';
import { KnownMethods } from '../../../../extension/src/host/runFiles/knownMethods.js';
import type { Run } from '../../../../extension/src/host/services.js';
import { runConfigSchema } from '../../../../extension/src/protocol/runConfig.js';

vi.mock('vscode', () => ({}));

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tunewright-corrections-'));
afterAll(() => rmSync(folder, { recursive: true }));
const methods = new KnownMethods(root);
const adapter = join(folder, 'pirate', 'adapter');
mkdirSync(adapter, { recursive: true });
writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify({ peft_type: 'IA3' }));

function rows(count: number): string {
  const path = join(folder, `rows${count}.jsonl`);
  const row = (i: number) => ({
    messages: [
      { role: 'user', content: `Q${i}` },
      { role: 'assistant', content: 'A' },
    ],
  });
  writeFileSync(path, Array.from({ length: count }, (_, i) => `${JSON.stringify(row(i))}\n`).join(''));
  return path;
}

const config = {
  name: 'pirate',
  model: 'embedded:tiny',
  dataset: {
    train: '/old.csv',
    format: 'alpaca',
    columns: { output: 'x' },
    validation: 0.1,
    max_length: 64,
    on_change: 'continue',
  },
  method: { peft_type: 'IA3', target_modules: ['q_proj'] },
  training: { learning_rate: 0.01, max_steps: 500, warmup_steps: 9, seed: 7 },
  samples: { prompts: ['old'], max_new_tokens: 11 },
};
const run = {
  name: 'pirate v2',
  folder: join(folder, 'pirate'),
  config,
  glance: () => ({ completed: { adapter: 'adapter' } }),
};
const runs = (all: object[]) => ({
  runs: () => all as Run[],
  get: (path: string) => (all as Run[]).find(each => each.folder === path),
});
const noEngine = { inspectModel: () => Promise.reject(new Error('no engine')) };
const made = async (result: Parameters<typeof runOnCorrections>[0], train: string, all: object[] = [run]) =>
  runConfigSchema.parse(await runOnCorrections(result, train, runs(all), { methods, engine: noEngine }));

test('continues the run that made the adapter, given or found, in its chain', async () => {
  const train = rows(2);
  for (const given of [{ run: run.folder }, {}]) {
    const { name, method, dataset, samples } = await made({ model: 'embedded:tiny', adapter, ...given }, train);
    expect(name).toBe('pirate v3');
    expect(method).toEqual({ peft_type: 'IA3', init_from: adapter });
    expect(dataset).toMatchObject({
      train,
      format: 'auto',
      columns: {},
      max_length: 64,
      validation: null,
      on_change: 'mark',
    });
    expect(samples).toMatchObject({ prompts: ['Q0', 'Q1'], max_new_tokens: 11 });
  }
});

test('continues from a checkpoint of a run, which has no file that names its method', async () => {
  const checkpoint = join(run.folder, 'checkpoints', 'step-4');
  const { method } = await made({ model: 'embedded:tiny', adapter: checkpoint, run: run.folder }, rows(2));
  expect(method).toEqual({ peft_type: 'IA3', init_from: checkpoint });
});

test('few rows are learned one by one at a lower rate, without a checkpoint in between', async () => {
  const { training } = await made({ model: 'embedded:tiny', adapter }, rows(MAX_CORRECTIONS));
  expect(training).toMatchObject({
    learning_rate: 0.004,
    max_steps: -1,
    per_device_train_batch_size: 1,
    warmup_steps: 0,
    seed: 7,
  });
});

test('more rows are trained as the run was, with rows held out', async () => {
  const { training, dataset } = await made({ model: 'embedded:tiny', adapter }, rows(MAX_CORRECTIONS + 1));
  expect(training).toMatchObject({ learning_rate: 0.01, max_steps: 500, warmup_steps: 9 });
  expect(dataset.validation).toBe(0.1);
});

test('an adapter of no known run continues under its folder’s name; a model by itself gets a new adapter', async () => {
  const other = await made({ model: '/models/other', adapter }, rows(2), []);
  expect(other).toMatchObject({
    name: 'pirate v2',
    model: '/models/other',
    method: { peft_type: 'IA3', init_from: adapter },
  });
  const fresh = await made({ model: '/models/other', adapter: null }, rows(2));
  expect(fresh).toMatchObject({ model: '/models/other', method: { peft_type: methods.first } });
  expect(fresh.method).toMatchObject({ init_from: null });
  await expect(made({ model: 'm', adapter: folder }, rows(2))).rejects.toThrow(/no adapter_config\.json/);
});
