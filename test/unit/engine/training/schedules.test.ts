// Learning rate schedules compared with Transformers' get_scheduler (test/fixtures/training/make.py).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { learningRateAt } from '../../../../extension/src/engine/training/schedules.js';
import { trainingConfigSchema } from '../../../../extension/src/protocol/runConfig.js';

interface Schedule {
  name: string;
  warmup: number;
  rates: number[];
}

const { peak, steps, schedules } = JSON.parse(
  readFileSync(new URL('../../../fixtures/training/expected.json', import.meta.url), 'utf8'),
) as { peak: number; steps: number; schedules: Schedule[] };

const configOf = (changes: Record<string, unknown>) => trainingConfigSchema.parse({ learning_rate: peak, ...changes });

describe('learningRateAt', () => {
  it.each(schedules)('equals Transformers’ $name with $warmup warm-up steps', ({ name, warmup, rates }) => {
    const config = configOf({ lr_scheduler_type: name, warmup_steps: warmup });
    rates.forEach((rate, step) => {
      const ours = learningRateAt(step, config, steps);
      expect(Math.abs(ours - rate), `step ${step}: ${ours}, not ${rate}`).toBeLessThan(1e-12);
    });
  });

  it('knows every schedule of the run file', () => {
    const names = trainingConfigSchema.shape.lr_scheduler_type.unwrap().options;
    expect(schedules.map(({ name }) => name).toSorted()).toEqual([...names, ...names].toSorted());
  });

  it('reads warmup_ratio as a share of the steps, which warmup_steps overrides', () => {
    const rate = (changes: Record<string, unknown>) => learningRateAt(1, configOf(changes), 20);
    expect(rate({ warmup_ratio: 0.21 })).toBeCloseTo(peak / 5, 12);
    expect(rate({ warmup_ratio: 0.21, warmup_steps: 2 })).toBeCloseTo(peak / 2, 12);
  });
});
