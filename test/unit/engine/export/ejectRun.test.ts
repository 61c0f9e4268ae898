// What an ejected program reads is what the run trains on: its rows and their order are the trainer's own batches, its start is the
// adapter before the first step. That Python computes the same from them is test/parity/eject_runs_ours.py's to show.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../../../extension/src/engine/data/batch.js';
import * as batches from '../../../../extension/src/engine/data/batches.js';
import { openSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { ejectRun } from '../../../../extension/src/engine/export/ejectRun.js';
import { readRunFile } from '../../../../extension/src/engine/run/readRunFile.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { trainRun } from '../../../../extension/src/engine/run/trainRun.js';
import { workplace, type RunChanges } from '../../../support/cli.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

/** Batches that the trainer makes, in order. */
const made: Batch[] = [];
vi.mock('../../../../extension/src/engine/data/batches.js', async original => {
  const actual = await original<typeof batches>();
  const makeBatch: typeof actual.makeBatch = (...args) => {
    const batch = actual.makeBatch(...args);
    made.push(batch);
    return batch;
  };
  return { ...actual, makeBatch };
});

const place = workplace();
const out = place.file('program.py');
const { signal } = new AbortController();
afterAll(() => place.remove());
beforeEach(() => {
  made.length = 0;
  for (const name of ['run', 'program.start', 'program.data', 'program.py'])
    rmSync(place.file(name), { recursive: true, force: true });
});

const runFile = (changes: RunChanges = {}) => place.run('run', { engine: { backend: 'wasm' }, ...changes });
const eject = (changes?: RunChanges, force = false) =>
  ejectRun(readRunFile(runFile(changes)), { out, force, reporter: silentReporter, signal });
const program = () => readFileSync(out, 'utf8');

interface Row {
  input_ids: number[];
  labels: number[];
}

function readLines(name: string): any[] {
  return readFileSync(place.file('program.data', name), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
}

/** The rows of each sequence that isn't padding. */
function rowsOf({ batchSize, sequenceLength, inputIds, labels, segmentIds }: Batch): Row[][] {
  return Array.from({ length: batchSize }, (_, s) => {
    const rows: Row[] = [];
    for (let i = s * sequenceLength; i < (s + 1) * sequenceLength; i++) {
      if (segmentIds[i] === 0) continue;
      const row = (rows[segmentIds[i]! - 1] ??= { input_ids: [], labels: [] });
      row.input_ids.push(inputIds[i]!);
      row.labels.push(labels[i]!);
    }
    return rows;
  });
}

const training = { max_steps: 5, gradient_accumulation_steps: 2, warmup_steps: 1, save_steps: 5 };

describe.each([
  { method: { peft_type: 'LORA', r: 2, use_dora: true }, packing: true },
  { method: { peft_type: 'LORA', r: 2 }, packing: false },
  { method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 2 }, packing: true },
])('$method.peft_type, packing $packing', ({ method, packing }) => {
  const changes = { method, training, dataset: { packing } };
  const virtualTokens = method.num_virtual_tokens ?? 0;

  it('reads the batches of the trainer', async () => {
    await trainRun({
      runFile: runFile(changes),
      out: place.file('run'),
      ...{ resume: false, force: true, reporter: silentReporter, onEvent: () => {}, signal },
    });
    const trained = made.map(batch =>
      rowsOf(batch).map(rows =>
        rows.map(row => ({ input_ids: row.input_ids.slice(virtualTokens), labels: row.labels.slice(virtualTokens) })),
      ),
    );
    await eject(changes);
    const rows: Row[] = readLines('train.jsonl');
    const order: (number | number[])[][][] = readLines('order.jsonl');
    expect(order).toHaveLength(5);
    const read = order.flat().map(batch => batch.map(numbers => [numbers].flat().map(number => rows[number]!)));
    // Virtual tokens are before each sequence in PEFT: the rows of a batch, each by itself.
    expect(read).toEqual(virtualTokens > 0 ? trained.map(sequences => sequences.flat().map(row => [row])) : trained);
    expect(trained.flat().some(sequence => sequence.length > 1)).toBe(packing);
  });

  it('starts from the values before the first step', async () => {
    // At the first step of a warm-up the rate is 0.
    await trainRun({
      runFile: runFile({ ...changes, training: { ...training, max_steps: 1 } }),
      out: place.file('run'),
      ...{ resume: false, force: true, reporter: silentReporter, onEvent: () => {}, signal },
    });
    await eject(changes);
    const name = 'adapter_model.safetensors';
    const [start, saved] = [place.file('program.start'), place.file('run', 'adapter')].map(folder =>
      readFileSync(join(folder, name)),
    );
    expect(start!.equals(saved!)).toBe(true);
  });
});

it('starts from the adapter of init_from, with its config', async () => {
  await trainRun({
    runFile: runFile({ method: { r: 3 }, training: { max_steps: 2 } }),
    out: place.file('first'),
    ...{ resume: false, force: true, reporter: silentReporter, onEvent: () => {}, signal },
  });
  await eject({ method: { init_from: place.file('first', 'adapter') } });
  const name = 'adapter_model.safetensors';
  expect(readFileSync(place.file('program.start', name))).toEqual(readFileSync(place.file('first', 'adapter', name)));
  expect(program()).toContain('r=3,');
});

it('has the run’s optimizer, schedule, clipping and evaluation', async () => {
  const { differences, steps, wantsFolder } = await eject({
    dataset: { validation: 0.25 },
    training: {
      ...{ max_steps: 20, learning_rate: 3e-4, lr_scheduler_type: 'polynomial', warmup_ratio: 0.1, weight_decay: 0.05 },
      ...{ adam_beta2: 0.95, adam_epsilon: 1e-6, max_grad_norm: 0.5, seed: 7, per_device_eval_batch_size: 3 },
      ...{ eval_steps: 5, early_stopping_patience: 2, early_stopping_threshold: 0.01 },
    },
  });
  expect(steps).toBe(20);
  expect(wantsFolder).toBe(false);
  expect(differences).toEqual(['There are no checkpoints to resume from.']);
  for (const part of [
    'lr=0.0003,',
    'betas=(0.9, 0.95),',
    'eps=0.000001,',
    'weight_decay=0.05,',
    'get_scheduler("polynomial", optimizer, num_warmup_steps=2, num_training_steps=len(steps))',
    'clip_grad_norm_(parameters, 0.5)',
    'torch.manual_seed(7)',
    'range(0, len(validation_rows), 3)',
    'if step % 5 == 0:',
    'without_improvement = 0 if loss < best_loss - 0.01 else without_improvement + 1',
    'if without_improvement == 2:',
  ])
    expect(program()).toContain(part);
  expect(readLines('validation.jsonl').length + readLines('train.jsonl').length).toBe(24);
});

describe('every method', () => {
  it.each(peftMethods.filter(({ python }) => python).map(method => ({ method, peftType: method.peftType })))(
    '$peftType: a program with its start',
    async ({ method, peftType }) => {
      const trainsAll = peftType === 'FULL' ? {} : { num_layers: 1 };
      await eject({ method: { peft_type: peftType, ...(method.storage === 'selective' && trainsAll) } });
      const { python } = method;
      if ('configClass' in python!) {
        expect(program()).toContain(`from peft import ${python.configClass}, get_peft_model`);
        const [file] = /START \/ "(.+)"/.exec(program())!.slice(1);
        const { tensors, close } = openSafetensors(place.file('program.start', file!));
        expect(tensors.size).toBeGreaterThan(0);
        close();
      } else {
        expect(program()).not.toContain('peft import');
        expect(existsSync(place.file('program.start'))).toBe(false);
      }
    },
  );

  it('refuses those that Python doesn’t have', async () => {
    const refused = peftMethods.filter(({ python }) => !python);
    expect(refused.length).toBeGreaterThan(0);
    for (const { peftType } of refused) {
      const error = await inputErrorOf(() => eject({ method: { peft_type: peftType } }));
      expect(error.message).toContain(peftType);
      expect(error.record()).toMatchObject({ key: 'method.peft_type', hint: expect.stringContaining('LORA') });
    }
    expect(existsSync(out)).toBe(false);
  });
});

it('refuses more steps than a file should have lines', async () => {
  const error = await inputErrorOf(() => eject({ training: { max_steps: 1_000_001 } }));
  expect(error.record()).toMatchObject({
    key: 'training.max_steps',
    message: expect.stringContaining('1000001 steps'),
  });
  expect(existsSync(out)).toBe(false);
});

it('says what differs from the run', async () => {
  const { differences } = await eject({
    method: { peft_type: 'PREFIX_TUNING' },
    training: { max_minutes: 3, gradient_checkpointing: true },
    samples: { prompts: ['Hello'] },
    engine: { backend: 'wasm', base_weights: 'int8' },
  });
  const text = differences.join('\n');
  for (const part of ['int8', 'each row is a sequence', 'max_minutes', 'gradient checkpointing', 'samples'])
    expect(text).toContain(part);
  for (const difference of differences) expect(program()).toContain(difference);
  expect(program()).not.toContain('gradient_checkpointing_enable');
});

it('writes text of the run as text only', async () => {
  await eject({ name: 'a """ b\\ \n c \u001b[1m', method: { target_modules: '.*\\.(q|v)_proj' } });
  expect(program()).toMatch(/^"""a \\"\\"\\" b\\\\ c \\\\x1b\[1m: /);
  expect(program()).toContain(String.raw`target_modules=".*\\.(q|v)_proj"`);
});

it('replaces nothing without being told to, and leaves nothing after a failure', async () => {
  writeFileSync(out, 'mine');
  const refused = await inputErrorOf(() => eject());
  expect(refused.record()).toMatchObject({ file: out, hint: expect.stringContaining('--force') });
  expect(program()).toBe('mine');
  await eject({}, true);
  expect(program()).toContain('LoraConfig');
  writeFileSync(place.file('program.data', 'mine.txt'), 'mine');
  expect((await inputErrorOf(() => eject({}, true))).message).toContain('mine.txt');
  expect(existsSync(place.file('program.data', 'mine.txt'))).toBe(true);
  rmSync(place.file('program.data'), { recursive: true });
  rmSync(out);
  const before = readdirSync(place.path);
  await inputErrorOf(() => eject({ dataset: { train: 'missing.jsonl' } }, true));
  expect(readdirSync(place.path)).toEqual(before);
});

it('refuses a name that no file can have, before anything is read', async () => {
  const long = place.file(`${'x'.repeat(300)}.py`);
  const work = ejectRun(readRunFile(runFile()), { out: long, force: true, reporter: silentReporter, signal });
  expect((await inputErrorOf(() => work)).message).toContain('306 bytes');
});

it('replaces nothing that has come there meanwhile', async () => {
  const progress = () => writeFileSync(out, 'mine');
  const run = readRunFile(runFile());
  const work = ejectRun(run, { out, force: false, reporter: { ...silentReporter, progress }, signal });
  expect((await inputErrorOf(() => work)).record()).toMatchObject({ file: out, message: 'this exists' });
  expect(program()).toBe('mine');
  expect(existsSync(place.file('program.data'))).toBe(false);
});

it('says how it is called, before anything is imported, if the model must be named', async () => {
  await eject({ model: 'embedded:tiny', training: { max_steps: 1 } });
  const usage = program().indexOf('if len(sys.argv) < 2:');
  expect(usage).toBeGreaterThan(0);
  expect(usage).toBeLessThan(program().indexOf('import torch'));
  expect(program()).toMatch(/print\("usage: python", .* file=sys\.stderr\)\n    sys\.exit\(2\)\n/);
});
