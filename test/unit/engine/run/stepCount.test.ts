import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { openModelFiles } from '../../../../extension/src/engine/run/openModel.js';
import { attachMethod } from '../../../../extension/src/engine/run/attachMethod.js';
import { parseRun, type RunFile } from '../../../../extension/src/engine/run/readRunFile.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { loadRows } from '../../../../extension/src/engine/run/runRows.js';
import { countSteps } from '../../../../extension/src/engine/run/stepCount.js';
import { runShape } from '../../../../extension/src/engine/training/runShape.js';
import { StepPlan } from '../../../../extension/src/engine/training/stepPlan.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-steps-'));
afterAll(() => rmSync(folder, { recursive: true }));
const onDisk = await openModelFiles('embedded:tiny', folder, silentReporter);
onDisk.files.close();
const pirate = new URL('../../../../media/datasets/pirate.messages.jsonl', import.meta.url);

function runOf(dataset: Record<string, unknown>, training: Record<string, unknown> = {}) {
  return parseRun(
    { model: 'embedded:tiny', dataset: { max_length: 128, ...dataset }, method: { peft_type: 'LORA' }, training },
    join(folder, 'run.json'),
  );
}
const shapeOf = (run: RunFile) => runShape(run.config, attachMethod(run, onDisk.architecture).attached);
const count = (run: RunFile) => countSteps(run, onDisk.tokenizer, shapeOf(run), onDisk.architecture.vocabSize);

/** The number of steps in training, with all rows and epochs. */
async function planned(run: RunFile): Promise<number> {
  const { config } = run;
  const { train } = await loadRows(
    run,
    onDisk,
    { maxLength: config.dataset.max_length, limitedBy: null },
    null,
    silentReporter,
    new AbortController().signal,
  );
  const { totalSteps } = new StepPlan(train, shapeOf(run), config.training, createRng(42));
  train.dataset.close();
  return totalSteps;
}

describe('countSteps', () => {
  it.each([
    ['packed', {}, {}],
    ['one row per sequence', { packing: false }, { num_train_epochs: 1.5 }],
    ['with a validation share and accumulation', { validation: 0.1 }, { gradient_accumulation_steps: 4 }],
  ])('counts as training does: %s', async (_, dataset, training) => {
    const run = runOf({ train: pirate.pathname, ...dataset }, training);
    const steps = await planned(run);
    expect(Math.abs((await count(run)).steps! - steps)).toBeLessThanOrEqual(Math.ceil(0.02 * steps));
  });

  it('estimates a large file by its first rows', async () => {
    const file = join(folder, 'large.jsonl');
    writeFileSync(file, '');
    for (let i = 0; i < 60; i++) appendFileSync(file, readFileSync(pirate));
    const run = runOf({ train: file });
    const steps = await planned(run);
    expect((await count(run)).steps! / steps).toBeCloseTo(1, 1);
  }, 60_000);

  it('uses max_steps, and leaves errors in the rows to training', async () => {
    expect(await count(runOf({ train: 'none.jsonl' }, { max_steps: 70 }))).toEqual({
      steps: 70,
      graphs: 1,
      sequenceLength: 128,
    });
    expect(await count(runOf({ train: 'none.jsonl' }))).toEqual({ steps: null, graphs: 1, sequenceLength: 128 });
  });
});
