// The rows of each optimizer step: they follow from seed and settings alone.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { StepPlan } from '../../../../extension/src/engine/training/stepPlan.js';
import { trainingConfigSchema } from '../../../../extension/src/protocol/runConfig.js';
import { randomRows, rowSet } from '../../../support/tinyRun.js';

function planOf(rows: number, training: Record<string, unknown>, { seed = 1, packing = false } = {}): StepPlan {
  const config = trainingConfigSchema.parse({ per_device_train_batch_size: 2, ...training });
  const shape = { batchSize: 2, maxLength: 16, packing, virtualTokens: 0, firstVirtualId: 48 };
  return new StepPlan(rowSet(randomRows(rows)), shape, config, createRng(seed));
}

const stepsOf = (plan: StepPlan) => Array.from({ length: plan.totalSteps }, (_, step) => plan.microBatches(step));
const rowsIn = (steps: ReturnType<typeof stepsOf>) =>
  steps.flatMap(batches => batches.flatMap(b => b.sequences.flat()));
const epochEnds = (plan: StepPlan) =>
  Array.from({ length: plan.totalSteps }, (_, i) => i + 1).filter(steps => plan.endsEpoch(steps));

describe('StepPlan', () => {
  it.each([false, true])('gives the same batches in any order of calls; packing %s', packing => {
    const settings = { num_train_epochs: 3, gradient_accumulation_steps: 2 };
    const inOrder = stepsOf(planOf(11, settings, { packing }));
    const other = planOf(11, settings, { packing });
    for (const step of [...inOrder.keys()].toReversed()) expect(other.microBatches(step)).toEqual(inOrder[step]);
    expect(other.microBatches(0)).toEqual(inOrder[0]);
    expect(stepsOf(planOf(11, settings, { packing, seed: 2 }))).not.toEqual(inOrder);
  });

  it.each([false, true])('uses each row once per epoch, in a different order each time; packing %s', packing => {
    const plan = planOf(11, { num_train_epochs: 2 }, { packing });
    const [end] = epochEnds(plan) as [number];
    const epochs = [stepsOf(plan).slice(0, end), stepsOf(plan).slice(end)].map(rowsIn);
    for (const rows of epochs) expect(rows.toSorted((a, b) => a - b)).toEqual([...Array(11).keys()]);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it('keeps the file’s order without shuffling', () => {
    const plan = planOf(5, { num_train_epochs: 2, shuffle: false });
    expect(rowsIn(stepsOf(plan))).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  });

  it.each([
    // 10 rows in batches of 2: 5 steps an epoch
    [{ num_train_epochs: 3 }, 15, [5, 10, 15]],
    [{ num_train_epochs: 0.5 }, 3, [3]],
    [{ num_train_epochs: 1.2 }, 6, [5, 6]],
    [{ num_train_epochs: 0.01 }, 1, [1]],
    // the last step of an epoch has the remaining rows
    [{ num_train_epochs: 2, gradient_accumulation_steps: 2 }, 6, [3, 6]],
    [{ num_train_epochs: 1, gradient_accumulation_steps: 99 }, 1, [1]],
    // max_steps overrides the epochs, whether it is less or more
    [{ num_train_epochs: 9, max_steps: 3 }, 3, [3]],
    [{ num_train_epochs: 1, max_steps: 12 }, 12, [5, 10, 12]],
    [{ num_train_epochs: 2, max_steps: -1 }, 10, [5, 10]],
  ])('%j: %i steps, epochs end at %j', (training, total, ends) => {
    const plan = planOf(10, training);
    expect(plan.totalSteps).toBe(total);
    expect(epochEnds(plan)).toEqual(ends);
  });

  it('counts passes over the rows', () => {
    const plan = planOf(10, { num_train_epochs: 1.2 });
    expect([0, 1, 5, 6].map(steps => plan.epochsAfter(steps))).toEqual([0, 0.2, 1, 1.2]);
  });

  it('puts the remaining rows into the last step of an epoch', () => {
    const plan = planOf(5, { num_train_epochs: 1, gradient_accumulation_steps: 2, shuffle: false });
    expect(stepsOf(plan).map(batches => batches.map(batch => batch.sequences.flat()))).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [[4]],
    ]);
  });

  it('knows the fewest steps with a number of tokens', () => {
    // Rows of 3 and 4 tokens, a step of 7 each epoch.
    const rows = rowSet([
      [1, 2, 3],
      [1, 2, 3, 4],
    ]);
    const shape = { batchSize: 2, maxLength: 16, packing: false };
    const plan = new StepPlan(rows, shape, trainingConfigSchema.parse({ num_train_epochs: 1 }), createRng(1));
    const tokens = [1, 6, 7, 8, 14, 15, 700, 701, 7e12];
    expect(tokens.map(each => plan.stepsForTokens(each))).toEqual([1, 1, 1, 2, 2, 3, 100, 101, 1e12]);
  });

  it('lays out only as many epochs as it can in seconds, where each packs the rows in another order', async () => {
    const rows = { dataset: { lengthOf: () => 3 }, indices: Array.from({ length: 2000 }, (_, i) => i) };
    const plan = (training: Record<string, unknown>, packing = true) =>
      new StepPlan(
        rows as never,
        { batchSize: 2, maxLength: 16, packing },
        trainingConfigSchema.parse(training),
        createRng(1),
      );
    const { key } = (await inputErrorOf(() => plan({ num_train_epochs: 100_000 }))).record();
    expect(key).toBe('training.num_train_epochs');
    expect(plan({ num_train_epochs: 100_000 }, false).totalSteps).toBe(1e8);
    expect(plan({ num_train_epochs: 100_000, shuffle: false }).totalSteps).toBeGreaterThan(1e7);
    expect(plan({ max_steps: 5 }).stepsForTokens(2 ** 50)).toBeNull();
    expect(plan({ max_steps: 5 }, false).stepsForTokens(2 ** 50)).toBeGreaterThan(1e12);
  });

  it.each([
    [false, true],
    [true, false],
    [true, true],
  ])('plans no epoch that isn’t looked at; packing %s, shuffle %s', (packing, shuffle) => {
    let read = 0;
    const { dataset, indices } = rowSet(randomRows(10));
    const counted = { dataset: { lengthOf: (row: number) => dataset.lengthOf(row) + 0 * read++ }, indices };
    const lengthOfRows = (training: Record<string, unknown>, steps: number[]) => {
      const config = trainingConfigSchema.parse({ shuffle, ...training });
      const plan = new StepPlan(counted, { batchSize: 2, maxLength: 16, packing }, config, createRng(1));
      for (const step of steps) {
        plan.microBatches(step);
        plan.endsEpoch(step);
        plan.epochsAfter(step);
      }
      return plan.totalSteps;
    };
    expect(lengthOfRows({ max_steps: 1e9 }, [0, 1, 2, 3])).toBe(1e9);
    expect(read).toBeLessThan(1000);
  });
});
