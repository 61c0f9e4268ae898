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

  it('warns once when it moves away and general text gets harder, not if that gets easier or little changes', async () => {
    const [train, general] = [[[1, 2, 3, 4, 5, 6]], [[1, 2, 3, 40, 41, 42]]];
    const training = { eval_steps: 4, max_steps: 20, max_grad_norm: 0, lr_scheduler_type: 'constant' };
    const full = { train, method: { peft_type: 'FULL' }, training: { ...training, learning_rate: 0.05 } };
    const far = (result: TinyRunResult) =>
      curve(result).filter(([, divergence]) => divergence! > FORGETTING_LIMIT).length;
    const harder = await run({ ...full, general });
    const [start, ...later] = curve(harder);
    const baseLoss = start![2]!;
    const bad = later.filter(([, divergence, loss]) => divergence! > FORGETTING_LIMIT && loss! > baseLoss);
    expect(bad.length).toBeGreaterThan(1);
    expect(warnings(harder)).toHaveLength(1);
    expect(warnings(harder)[0]!.message).toMatch(/after step \d+, .*lower learning_rate/);
    const easier = await run({ ...full, general: train });
    expect(far(easier)).toBeGreaterThan(1);
    expect(warnings(easier)).toEqual([]);
    const near = await run({ train, general, training: { ...training, learning_rate: 1e-4 } });
    expect(warnings(near)).toEqual([]);
  });
});
