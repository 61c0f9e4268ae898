// What a written model is compared on: the rows that its run held out and the run's answers, as long as they are what they were.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countLabels } from '../../../../extension/src/core/data/example.js';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { fileHash } from '../../../../extension/src/engine/data/fileHash.js';
import { heldOut, type HeldOutOptions } from '../../../../extension/src/engine/export/heldOut.js';
import type { ModelFiles } from '../../../../extension/src/engine/files/tensorSource.js';
import { architectureOfFiles } from '../../../../extension/src/engine/models/loadModel.js';
import { findModelFiles, tokenizerOf } from '../../../../extension/src/engine/run/openModel.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';

const path = mkdtempSync(join(tmpdir(), 'tunewright-held-out-'));
let files: ModelFiles;
let options: Omit<HeldOutOptions, 'run'>;

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  files = await findModelFiles('embedded:tiny', '.', silentReporter);
  const architecture = architectureOfFiles(files);
  const given = { embeddingRows: architecture.vocabSize, generalTexts: null, reporter: silentReporter };
  options = { files, tokenizer: tokenizerOf(files), architecture, ...given };
});
afterAll(() => {
  files.close();
  rmSync(path, { recursive: true });
});

const rowsOf = (count: number, word: string) =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ prompt: `${word} ${i}:`, completion: ` ${word}` })}\n`);

/** A run folder; its training file has 20 rows. */
async function runWith(name: string, validation: unknown, samples: object[] = [], hash?: string): Promise<string> {
  const run = join(path, name);
  mkdirSync(run, { recursive: true });
  const train = join(run, 'train.jsonl');
  writeFileSync(train, rowsOf(20, 'train').join(''));
  writeFileSync(join(run, 'valid.jsonl'), rowsOf(5, 'valid').join(''));
  const dataset = { train, validation, max_length: 32 };
  const prompts = ['Who are you?', 'And you?'];
  const config = { name, model: 'embedded:tiny', dataset, method: { peft_type: 'LORA' }, samples: { prompts } };
  writeFileSync(join(run, 'run.json'), JSON.stringify(config));
  const started = { type: 'started', dataset_hash: hash ?? (await fileHash(train)) };
  const events = [{ ...STARTED, ...started }, ...samples].map((event, seq) =>
    JSON.stringify({ seq, time: '2026-01-31T14:25:00.000Z', ...event }),
  );
  writeFileSync(join(run, 'events.ndjson'), events.map(line => `${line}\n`).join(''));
  return run;
}

/** What is the same in all of them. */
const STARTED = {
  name: 'a',
  engine: { version: '0', backend: 'tensorflow', library: '2', device: 'cpu', threads: 1 },
  ...{ model: 'embedded:tiny', peft_type: 'LORA', trainable_parameters: 1, total_parameters: 2 },
  ...{ train_rows: 20, validation_rows: 5, total_steps: 1, resumed_from_step: 0 },
  memory_estimate: { weights: 0, gradients: 0, optimizer: 0, activations: 0, temporary: 0, total: 0 },
};

const text = ({ inputIds }: { inputIds: Int32Array }) => tokenizerOf(files).decode(inputIds);

describe('rows', () => {
  it('are those of the validation file', async () => {
    const run = await runWith('file', 'valid.jsonl');
    const { rows, named } = await heldOut({ ...options, run });
    expect(named).toBe('validation rows of the run');
    expect(rows.map(text).every(row => row.includes('valid'))).toBe(true);
    expect(rows).toHaveLength(5);
    for (const { labels } of rows) expect(countLabels(labels)).toBeGreaterThan(0);
  });

  it('are the share of the training file that was held out, as long as the file is what it was', async () => {
    const run = await runWith('share', 0.25);
    const { rows, named } = await heldOut({ ...options, run });
    expect([named, rows.length]).toEqual(['validation rows of the run', 5]);
    appendFileSync(join(run, 'train.jsonl'), rowsOf(1, 'later').join(''));
    expect((await heldOut({ ...options, run })).named).toBe('texts of many kinds');
  });

  it('are texts of many kinds without a run, without validation rows, or where their file is gone', async () => {
    const gone = await runWith('gone', 'gone.jsonl');
    const none = await runWith('none', null);
    for (const run of [null, gone, none, join(path, 'nowhere')])
      expect((await heldOut({ ...options, run })).named).toBe('texts of many kinds');
  });

  it('of --general-texts come first', async () => {
    const run = await runWith('texts', 'valid.jsonl');
    const generalTexts = join(run, 'own.jsonl');
    writeFileSync(generalTexts, rowsOf(3, 'own').join(''));
    const { rows, named } = await heldOut({ ...options, run, generalTexts });
    expect(named).toBe('rows of --general-texts');
    expect(rows).toHaveLength(3);
  });

  it('of a model without a tokenizer are token ids', async () => {
    const { rows, prompts } = await heldOut({ ...options, files: { ...files, tokenizer: null }, run: null });
    expect(new Set(rows.flatMap(({ inputIds }) => [...inputIds])).size).toBe(128);
    expect(prompts).toEqual([]);
  });
});

describe('answers', () => {
  const sample = (step: number, prompt: string, answer: string) => ({ type: 'sample', step, prompt, text: answer });

  it('are the last ones, with labels on the answer and on the token that ends it', async () => {
    const samples = [sample(0, 'Who are you?', 'A model.'), sample(9, 'Who are you?', 'Arr, a pirate!')];
    const run = await runWith('answers', null, samples);
    const { answers, prompts } = await heldOut({ ...options, run });
    expect(prompts).toEqual(['Who are you?', 'And you?']);
    expect(answers).toHaveLength(1);
    const [{ inputIds, labels }] = answers as [(typeof answers)[0]];
    expect(text({ inputIds })).toContain('Who are you?');
    const labelled = inputIds.filter((_, i) => labels[i] !== -100);
    expect(text({ inputIds: labelled })).toBe('Arr, a pirate!<|im_end|>');
  });

  it('of a run that never answered there are none', async () => {
    const run = await runWith('silent', null);
    expect((await heldOut({ ...options, run })).answers).toEqual([]);
  });
});
