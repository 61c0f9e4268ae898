// The evaluation of the base is shared by runs for which it is the same, and by no others.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { baseEvaluation } from '../../../../extension/src/engine/run/baseEvaluation.js';
import { prepareRun } from '../../../../extension/src/engine/run/prepareRun.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { ROWS, workplace, type RunChanges } from '../../../support/cli.js';

const place = workplace();
afterAll(() => place.remove());

const EVALUATION = { loss: 3.5, metrics: { perplexity: 33.1 }, numLabelTokens: 7 };
const cache = place.file('cache');

/** What a run finds in the cache; `none` if it doesn't use it. Then it keeps an evaluation there. */
async function found(changes: RunChanges = {}): Promise<unknown> {
  const dataset = { validation: 'held-out.jsonl', ...changes.dataset };
  const prepared = await prepareRun({
    runFile: place.run('run', { ...changes, dataset }),
    out: place.file('out'),
    resume: false,
    force: true,
    reporter: silentReporter,
    signal: new AbortController().signal,
  });
  try {
    const known = await baseEvaluation(cache, prepared);
    if (!known) return 'none';
    const before = known.read();
    known.keep(EVALUATION);
    return before;
  } finally {
    prepared.dispose();
  }
}

test('runs that begin as the base share its evaluation', async () => {
  place.write('held-out.jsonl', ROWS.slice(0, 6));
  expect(await found({ method: { r: 2 } })).toBeNull();
  for (const method of [{ r: 4 }, { peft_type: 'IA3' }, { peft_type: 'SELECTIVE' }, { peft_type: 'FULL' }])
    expect(await found({ method }), JSON.stringify(method)).toEqual(EVALUATION);
  expect(await found({ training: { learning_rate: 1, seed: 3 } })).toEqual(EVALUATION);
});

test('runs that begin otherwise, or hold no rows out, have none', async () => {
  expect(await found({ method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 2 } })).toBe('none');
  expect(await found({ method: { init_lora_weights: false } })).toBe('none');
  expect(await found({ dataset: { validation: null } })).toBe('none');
});

test('other rows, lengths, batches, weights and settings have their own', async () => {
  const changes: RunChanges[] = [
    { dataset: { max_length: 16 } },
    { dataset: { packing: false } },
    { dataset: { train_on: 'all' } },
    { dataset: { validation: 0.25 } },
    { dataset: { validation: 0.25 }, training: { seed: 1 } },
    { training: { per_device_eval_batch_size: 1 } },
    { engine: { compile: false } },
  ];
  for (const change of changes) expect(await found(change), JSON.stringify(change)).toBeNull();
  place.write('held-out.jsonl', ROWS.slice(0, 5));
  expect(await found()).toBeNull();
  const weights = place.file('base', 'model.safetensors');
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(weights, bytes);
  expect(await found()).toBeNull();
  expect(await found()).toEqual(EVALUATION);
});

test('with reduced weights, methods that train copies of them have their own', async () => {
  const engine = { base_weights: 'int8' };
  expect(await found({ engine })).toBeNull();
  expect(await found({ engine, method: { r: 1 } })).toEqual(EVALUATION);
  expect(await found({ engine, method: { peft_type: 'SELECTIVE' } })).toBeNull();
});
