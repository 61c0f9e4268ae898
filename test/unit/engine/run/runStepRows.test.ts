// The rows that are found for a step are those of the trainer's own batches, token by token; and no rows are named where they can't be
// known.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../../../extension/src/engine/data/batch.js';
import * as batches from '../../../../extension/src/engine/data/batches.js';
import { changeQuarantine, quarantinedDataset } from '../../../../extension/src/engine/run/quarantineRows.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { openRunRows, rowsOfStep } from '../../../../extension/src/engine/run/runStepRows.js';
import { trainRun } from '../../../../extension/src/engine/run/trainRun.js';
import { ROWS, workplace, type RunChanges } from '../../../support/cli.js';
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
afterAll(() => place.remove());
beforeEach(() => {
  made.length = 0;
  rmSync(place.file('run'), { recursive: true, force: true });
});

const folder = place.file('run');

async function train(changes: RunChanges, { resume = false, stopAfter = Infinity } = {}): Promise<void> {
  const stop = new AbortController();
  await trainRun({
    runFile: place.run('run', { engine: { backend: 'wasm' }, ...changes }),
    out: folder,
    resume,
    force: true,
    reporter: silentReporter,
    onEvent: event => {
      if (event.type === 'step' && event.step >= stopAfter) stop.abort();
    },
    signal: stop.signal,
  });
}

/** The token ids of each row in a batch, by sequence. */
function rowsIn({ batchSize, sequenceLength, inputIds, segmentIds }: Batch): number[][][] {
  return Array.from({ length: batchSize }, (_, s) => {
    const rows: number[][] = [];
    for (let i = s * sequenceLength; i < (s + 1) * sequenceLength; i++) {
      const segment = segmentIds[i]!;
      if (segment > 0) (rows[segment - 1] ??= []).push(inputIds[i]!);
    }
    return rows;
  });
}

/** The token ids of the rows found for each step, by micro-batch and sequence. */
async function found(steps: number): Promise<number[][][][]> {
  const opened = await openRunRows(folder, silentReporter);
  const { dataset } = opened.rows.train;
  const microBatches = Array.from({ length: steps }, (_, i) => {
    const ofStep: number[][][][] = [];
    for (const { row, microBatch, sequence } of rowsOfStep(opened, i + 1)) {
      ((ofStep[microBatch] ??= [])[sequence] ??= []).push([...dataset.get(row).inputIds]);
    }
    return ofStep;
  }).flat();
  opened.dispose();
  return microBatches;
}

const many = Array.from({ length: 3 }, (_, i) => ROWS.map(row => ({ ...row, prompt: `${i} ${row.prompt}` }))).flat();
place.write('many.jsonl', many);
place.write('mixed.jsonl', [
  ...ROWS.slice(0, 9),
  { prompt: 'no answer' },
  { prompt: 'far too long '.repeat(20), completion: ' x' },
  ...ROWS.slice(9),
]);
place.write('one-line.json', JSON.stringify(ROWS));

const CASES: Record<string, RunChanges> = {
  'a seed': { training: { seed: 1, max_steps: -1, num_train_epochs: 2 } },
  'another seed': { training: { seed: 2, max_steps: -1, num_train_epochs: 2 } },
  'without packing': { dataset: { packing: false }, training: { max_steps: 14 } },
  'in order': { dataset: { train: 'many.jsonl' }, training: { shuffle: false, max_steps: 9 } },
  'gradient accumulation and epochs': {
    dataset: { train: 'many.jsonl' },
    training: { gradient_accumulation_steps: 3, max_steps: -1, num_train_epochs: 2.5 },
  },
  'a share for validation': {
    dataset: { train: 'many.jsonl', validation: 0.3, packing: false },
    training: { max_steps: 12, per_device_train_batch_size: 5, eval_steps: 100, measure_forgetting: false },
  },
  'rows that are bad and too long': {
    dataset: { train: 'mixed.jsonl', truncation: 'drop', packing: false },
    training: { max_steps: 15 },
  },
  'truncated rows': { dataset: { train: 'mixed.jsonl', max_length: 14 }, training: { max_steps: 10 } },
  'rows in one line': { dataset: { train: 'one-line.json' }, training: { max_steps: 6 } },
  'virtual tokens': { method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 3 }, training: { max_steps: 6 } },
};

describe('rowsOfStep', () => {
  it.each(Object.entries(CASES))('is what the trainer used: %s', async (_name, changes) => {
    await train(changes);
    const steps = place.events('run').filter(({ type }) => type === 'step').length;
    // Virtual tokens are inputs too.
    const virtual = (changes.method?.['num_virtual_tokens'] as number | undefined) ?? 0;
    const ofTrainer = made.map(batch => rowsIn(batch).map(rows => rows.map(ids => ids.slice(virtual))));
    const evaluated = ofTrainer.length;
    const ofSteps = await found(steps);
    expect(ofSteps.length).toBeGreaterThan(0);
    // With validation, batches of evaluations come before and after those of the steps.
    const first = changes.dataset?.['validation'] ? indexOfRun(ofTrainer, ofSteps) : 0;
    expect(ofTrainer.slice(first, first + ofSteps.length)).toEqual(ofSteps);
    if (!changes.dataset?.['validation']) expect(evaluated).toBe(ofSteps.length);
  });

  it('is what the trainer used in a run that is stopped, resumed and trained for longer', async () => {
    const changes = (epochs: number): RunChanges => ({
      dataset: { train: 'many.jsonl' },
      training: { max_steps: -1, num_train_epochs: epochs, save_steps: 2 },
    });
    await train(changes(1.5), { stopAfter: 3 });
    await train(changes(1.5), { resume: true });
    await train(changes(3), { resume: true });
    const steps = place.events('run').findLast(event => event.type === 'step')!.step;
    expect(await found(steps)).toEqual(made.map(rowsIn));
  });

  it('of a run that was resumed on an edited file is told for the steps since only', async () => {
    const rows = place.write('edited.jsonl', ROWS);
    const changes: RunChanges = { dataset: { train: 'edited.jsonl' }, training: { max_steps: 6 } };
    await train(changes, { stopAfter: 3 });
    // As many tokens as before.
    writeFileSync(rows, readFileSync(rows, 'utf8').replace('ab', 'xy'));
    await train(changes, { resume: true });
    const opened = await openRunRows(folder, silentReporter);
    expect(rowsOfStep(opened, 4).length).toBeGreaterThan(0);
    expect((await inputErrorOf(() => rowsOfStep(opened, 3))).record()).toMatchObject({
      message: 'the training file was another one at step 3, before the run was resumed',
      hint: 'Name a step after 3.',
    });
    opened.dispose();
  });

  it('is what the trainer used with rows excluded, whatever is excluded later', async () => {
    const dataset = quarantinedDataset(place.file('rows.jsonl'), 'auto');
    await changeQuarantine(dataset, { add: [{ line: 4 }, { line: 9 }], remove: [] });
    await train({ dataset: { exclude: 'rows.jsonl.quarantine' } });
    writeFileSync(dataset.file, 'not JSON');
    expect(await found(6)).toEqual(made.map(rowsIn));
    expect(place.events('run').find(event => event.type === 'started')!.train_rows).toBe(ROWS.length - 2);
  });

  it('refuses a step that was not trained, and rows that are others now', async () => {
    const original = place.write('changing.jsonl', ROWS);
    await train({ dataset: { train: 'changing.jsonl' }, training: { logging_steps: 2 } });
    const step = async (n: number) => {
      const opened = await openRunRows(folder, silentReporter);
      try {
        return rowsOfStep(opened, n).length;
      } finally {
        opened.dispose();
      }
    };
    expect(await step(3)).toBeGreaterThan(0);
    expect((await inputErrorOf(() => step(7))).record()).toMatchObject({
      message: 'the run has trained 6 steps',
      key: '--step',
    });

    // Another split, which the hash of the file doesn't show.
    const runFile = place.file('run', 'run.json');
    const text = readFileSync(runFile, 'utf8');
    writeFileSync(runFile, text.replace('"validation": null', '"validation": 0.5'));
    expect((await inputErrorOf(() => step(3))).message).toBe(
      'this is not what the run was trained on: it used 24 rows, of which 12 are found',
    );
    // Another order.
    writeFileSync(runFile, text.replace('"packing": true', '"packing": false'));
    expect((await inputErrorOf(() => step(3))).message).toMatch(/^the rows of step 3 can't be told: steps 3 to 4 had/);
    writeFileSync(runFile, text);

    writeFileSync(original, readFileSync(original, 'utf8').replace('ab', 'xy'));
    expect((await inputErrorOf(() => step(3))).record()).toMatchObject({
      message: 'this is not what the run was trained on',
      file: original,
      hint: expect.stringMatching(/edited since/) as string,
    });
  });
});

/** Where `part` begins in `whole`; 0 if nowhere. */
function indexOfRun(whole: unknown[], part: unknown[]): number {
  const texts = whole.map(each => JSON.stringify(each));
  const [wanted] = part.map(each => JSON.stringify(each));
  return Math.max(0, texts.indexOf(wanted!));
}
