// The estimate of a run on a cluster: of one worker with its part of a batch, and nothing about this machine.
import { afterAll, expect, test } from 'vitest';
import { parseRun } from '../../../../extension/src/engine/run/readRunFile.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { estimateJson, runEstimate } from '../../../../extension/src/engine/run/runEstimate.js';
import { estimateSchema } from '../../../../extension/src/protocol/answers.js';
import { workplace } from '../../../support/cli.js';

const place = workplace();
afterAll(() => place.remove());

/** @param rows of a batch */
async function estimate(rows: number, engine: object) {
  const file = place.file('run.json');
  const run = parseRun(
    {
      model: 'base',
      dataset: { train: 'rows.jsonl', max_length: 32 },
      method: { peft_type: 'LORA', r: 2 },
      training: { per_device_train_batch_size: rows, max_steps: 5 },
      engine,
    },
    file,
  );
  const speed = async () => expect.fail('the speed of this machine says nothing of a cluster');
  return estimateSchema.parse(estimateJson(await runEstimate(run, { reporter: silentReporter, offline: true, speed })));
}
const ray = (workers: number) => ({ backend: 'ray', address: 'http://lab:8265', num_workers: workers });

test('each worker takes its part of a batch, whole rows', async () => {
  const [whole, two, three] = [await estimate(8, ray(1)), await estimate(8, ray(2)), await estimate(8, ray(3))];
  const part = await estimate(4, ray(1));
  expect(two.run.memory).toEqual(part.run.memory);
  expect(two.methods).toEqual(part.methods);
  expect(three.run.memory).toEqual((await estimate(3, ray(1))).run.memory);
  expect(two.run.memory.activations).toBeLessThan(whole.run.memory.activations);
  expect(two.run.memory.weights).toBe(whole.run.memory.weights);
  expect([whole.workers, two.workers, three.workers]).toEqual([1, 2, 3]);
});

test('it says nothing of the memory and the speed of this machine', async () => {
  const { available_bytes: available, run, total_steps: steps } = await estimate(8, ray(2));
  expect([available, run.seconds_per_step, run.train_seconds]).toEqual([null, null, null]);
  expect(steps).toBe(5);
  const here = await estimate(8, { backend: 'wasm' });
  expect(here.workers).toBeNull();
  expect(here.available_bytes).toBeGreaterThan(0);
});
