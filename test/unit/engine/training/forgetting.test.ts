// The forgetting meter: PyTorch's divergences of stored logits, the same curve after a resume, and when a run warns.
import { readFileSync, rmSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { divergences, FORGETTING_LIMIT } from '../../../../extension/src/engine/training/forgetting.js';
import { eventsOf, randomRows, tinyRun, type TinyRunResult } from '../../../support/tinyRun.js';

interface Case {
  name: string;
  base: number[][];
  tuned: number[][];
  divergences: number[];
}
const CASES = JSON.parse(
  readFileSync(new URL('../../../fixtures/training/divergences.json', import.meta.url), 'utf8'),
) as Case[];

const folders: string[] = [];
const RUN = { validation: randomRows(2, 9), general: randomRows(3, 5) };

async function run(options: Parameters<typeof tinyRun>[0]): Promise<TinyRunResult> {
  const result = await tinyRun({ ...RUN, ...options });
  folders.push(result.folder.path);
  return result;
}

const curve = ({ events }: TinyRunResult) =>
  eventsOf(events, 'evaluated').map(({ step, metrics }) => [step, metrics['kl_from_base'], metrics['general_loss']]);
const warnings = ({ events }: TinyRunResult) => eventsOf(events, 'warned').filter(({ code }) => code === 'forgetting');

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});
afterEach(() => folders.splice(0).forEach(folder => rmSync(folder, { recursive: true, force: true })));

describe('divergences', () => {
  it.each(CASES)('are those of PyTorch: $name', ({ base, tuned, divergences: expected }) => {
    const values = tf.tidy(() =>
      divergences(tf.logSoftmax(tf.tensor2d(base)), tf.logSoftmax(tf.tensor2d(tuned))).dataSync(),
    );
    for (const [i, value] of expected.entries())
      expect(Math.abs(values[i]! - value), `row ${i}`).toBeLessThanOrEqual(1e-6 + 1e-5 * value);
  });
});

describe('a run', () => {
  it.each(['LORA', 'FULL'])('with %s measures the same after a resume', async peftType => {
    const before = tf.memory().numTensors;
    const until = (max_steps: number, resumed?: TinyRunResult) =>
      run({
        method: { peft_type: peftType },
        training: { max_steps, eval_steps: 2, save_steps: 2, learning_rate: 0.02, lr_scheduler_type: 'constant' },
        ...(resumed && { folder: resumed.folder, resume: true }),
      });
    const whole = curve(await until(4));
    const half = await until(2);
    const rest = await until(4, half);
    expect(whole.map(([step]) => step)).toEqual([0, 2, 4]);
    expect([...curve(half), ...curve(rest)]).toEqual(whole);
    expect(whole[0]![1]).toBe(0);
    expect(whole[2]![1]).toBeGreaterThan(0);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('warns once when it moves away from its base, and not if it stays', async () => {
    const training = { eval_steps: 4, max_steps: 12, max_grad_norm: 0, lr_scheduler_type: 'constant' };
    const far = await run({ method: { peft_type: 'FULL' }, training: { ...training, learning_rate: 0.2 } });
    expect(curve(far).filter(([, divergence]) => divergence! > FORGETTING_LIMIT).length).toBeGreaterThan(1);
    expect(warnings(far)).toHaveLength(1);
    expect(warnings(far)[0]!.message).toMatch(/after step 4, .*lower learning_rate/);
    const near = await run({ training: { ...training, learning_rate: 1e-4 } });
    expect(warnings(near)).toEqual([]);
  });
});
