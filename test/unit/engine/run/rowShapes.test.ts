// The estimated number of gradient graphs of a run is the number of buckets that its batches use.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeBatch } from '../../../../extension/src/engine/data/batches.js';
import { attachMethod } from '../../../../extension/src/engine/run/attachMethod.js';
import { countGraphs, rowShapes } from '../../../../extension/src/engine/run/rowShapes.js';
import { openModelFiles } from '../../../../extension/src/engine/run/openModel.js';
import { parseRun, type RunFile } from '../../../../extension/src/engine/run/readRunFile.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { loadRows } from '../../../../extension/src/engine/run/runRows.js';
import { countSteps } from '../../../../extension/src/engine/run/stepCount.js';
import { bucketOf } from '../../../../extension/src/engine/training/buckets.js';
import { runShape } from '../../../../extension/src/engine/training/runShape.js';
import { planSteps } from '../../../../extension/src/engine/training/stepPlan.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-graphs-'));
afterAll(() => rmSync(folder, { recursive: true }));
const onDisk = await openModelFiles('embedded:tiny', folder, silentReporter);
onDisk.files.close();
const train = new URL('../../../../media/datasets/instructions.messages.jsonl', import.meta.url).pathname;
const MAX_LENGTH = 128;

const attached = (run: RunFile) => attachMethod(run, onDisk.architecture).attached;

describe('countGraphs', () => {
  it.each([
    ['packed', { packing: true }, {}, 0],
    ['one row per sequence', { packing: false }, { num_train_epochs: 1.5 }, 0],
    ['a few steps with accumulation', { packing: false }, { gradient_accumulation_steps: 3, max_steps: 4 }, 0],
    ['in file order, after virtual tokens', { packing: false }, { shuffle: false, num_train_epochs: 1 }, 20],
  ])('counts the graphs that training creates: %s', async (_, dataset, training, virtualTokens) => {
    const run = parseRun(
      {
        model: 'embedded:tiny',
        dataset: { train, max_length: MAX_LENGTH, ...dataset },
        method: { peft_type: 'LORA' },
        training: { per_device_train_batch_size: 2, ...training },
      },
      join(folder, 'run.json'),
    );
    const { config } = run;
    const limits = { maxLength: MAX_LENGTH, limitedBy: null };
    const rows = (await loadRows(run, onDisk, limits, null, silentReporter, new AbortController().signal)).train;
    const shape = { ...runShape(config, attached(run)), virtualTokens };
    const plan = planSteps(rows, shape, config.training);
    const made = new Set<string>();
    for (let step = 0; step < plan.totalSteps; step++)
      plan.microBatches(step).forEach((each, i) => {
        const bucket = bucketOf(shape.objective.sizes(makeBatch(each, rows.dataset, shape)), shape);
        made.add(JSON.stringify([bucket, i > 0]));
      });

    const counted = countGraphs(rowShapes(rows), config.training, shape);
    if (!config.dataset.packing) expect(made.size).toBeGreaterThan(1);
    // After virtual tokens, the first token is a label too.
    expect(Math.abs(counted - made.size)).toBeLessThanOrEqual(virtualTokens > 0 ? 1 : 0);
    expect((await countSteps(run, onDisk.tokenizer, shape, onDisk.architecture.vocabSize)).graphs).toBe(counted);
    rows.dataset.close();
  });

  it('is one without rows', () => {
    const run = parseRun(
      { model: 'embedded:tiny', dataset: { train }, method: { peft_type: 'LORA' }, training: { max_steps: 3 } },
      join(folder, 'run.json'),
    );
    const shape = runShape(run.config, attached(run));
    expect(countGraphs({ lengths: [], labels: [] }, run.config.training, shape)).toBe(1);
  });
});
