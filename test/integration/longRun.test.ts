// A long run of the embedded model grows neither in tensors nor in memory: batches of many lengths, evaluation, samples and
// checkpoints on the way. 300 steps and their tensors here; `npm run soak` takes 10,000 (about 20 minutes) and compares resident
// memory as well, which says something only over many steps and on a quiet machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { silentReporter } from '../../extension/src/engine/run/reporter.js';
import { trainRun } from '../../extension/src/engine/run/trainRun.js';

const SOAK_STEPS = Number(process.env['TUNEWRIGHT_SOAK_STEPS'] ?? 0);
const STEPS = SOAK_STEPS || 300;
/** Everything that the run does stands after a tenth of it: every graph, every buffer of the allocator. */
const SETTLED = STEPS / 10;
const media = new URL('../../media/', import.meta.url).pathname;

const runFile = {
  model: 'embedded:tiny',
  dataset: {
    train: join(media, 'datasets/pirate.messages.jsonl'),
    validation: join(media, 'datasets/pirate.validation.jsonl'),
    max_length: 64,
    truncation: 'drop',
    packing: false,
  },
  method: { peft_type: 'LORA', lora_dropout: 0.1 },
  training: {
    max_steps: STEPS,
    per_device_train_batch_size: 2,
    save_steps: SETTLED / 2,
    eval_steps: SETTLED / 2,
    logging_steps: STEPS / 100,
  },
  samples: { prompts: ['Who are you?'], max_new_tokens: SOAK_STEPS ? 256 : 8 },
};

test(`${STEPS} steps without growth`, { timeout: 800 * STEPS }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-soak-'));
  const figures: { step: number; tensors: number; rssBytes: number }[] = [];
  try {
    writeFileSync(join(folder, 'soak.tune.json'), JSON.stringify(runFile));
    await trainRun({
      runFile: join(folder, 'soak.tune.json'),
      out: join(folder, 'run'),
      resume: false,
      force: false,
      reporter: silentReporter,
      onEvent: event => {
        if (event.type !== 'step' || event.step < SETTLED) return;
        figures.push({ step: event.step, tensors: tf.memory().numTensors, rssBytes: event.rss_bytes });
        if (event.step % 1000 === 0) console.log(figures.at(-1));
      },
      signal: new AbortController().signal,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const first = figures[0]!;
  expect(first.step).toBe(SETTLED);
  expect(figures.at(-1)!.step).toBe(STEPS);
  for (const { step, tensors } of figures) expect(tensors, `tensors after step ${step}`).toBe(first.tensors);
  if (!SOAK_STEPS) return;
  const early = Math.max(...figures.slice(0, figures.length / 2).map(({ rssBytes }) => rssBytes));
  const late = Math.max(...figures.slice(figures.length / 2).map(({ rssBytes }) => rssBytes));
  expect(late / early, 'resident memory of the later half against the earlier').toBeLessThan(1.1);
});
