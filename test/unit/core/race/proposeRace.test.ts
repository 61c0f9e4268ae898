// The race file that is proposed for what a user wants to compare.
import { describe, expect, it, test } from 'vitest';
import { expandRace } from '../../../../extension/src/core/race/expandRace.js';
import {
  parseBudget,
  proposeRace,
  type ComparedMethod,
  type Comparison,
} from '../../../../extension/src/core/race/proposeRace.js';
import { raceConfigSchema } from '../../../../extension/src/protocol/raceConfig.js';

const RUN = {
  model: 'm',
  dataset: { train: 'rows.jsonl', validation: 0.1 },
  method: { peft_type: 'LORA', r: 4 },
  training: { learning_rate: 1e-3 },
};
const LORA: ComparedMethod = {
  peftType: 'LORA',
  title: 'LoRA',
  keys: ['r', 'target_modules'],
  proposed: { method: { peft_type: 'LORA', target_modules: 'all-linear' }, training: { learning_rate: 2e-4 } },
};
const LOHA: ComparedMethod = {
  peftType: 'LOHA',
  title: 'LoHa',
  keys: ['r', 'target_modules'],
  proposed: { method: { peft_type: 'LOHA', target_modules: 'all-linear' }, training: { learning_rate: 5e-4 } },
};
const FULL: ComparedMethod = {
  peftType: 'FULL',
  title: 'Full fine-tuning',
  keys: ['init_from'],
  proposed: { method: { peft_type: 'FULL' }, training: { learning_rate: 2e-5 } },
};

function proposed(changes: Partial<Comparison>) {
  const comparison = { methods: [LORA], options: {}, rateFactors: [], seeds: 1, budget: null, ...changes };
  const race = proposeRace('a-race', { run: RUN, reference: 'a.tune.json' }, comparison);
  const entries = expandRace(raceConfigSchema.parse(race), RUN, 'a.race.json');
  return { race, entries: entries.map(({ name, seed, run }) => ({ name, seed, run: run as unknown as typeof RUN })) };
}

describe('a proposed race', () => {
  it('keeps the run file’s own method as it is, and gives others what is proposed for them', () => {
    const { race, entries } = proposed({ methods: [LORA, FULL], seeds: 2, budget: { max_steps: 9 } });
    expect(race).toEqual({
      name: 'a-race',
      run: 'a.tune.json',
      vary: [
        { name: 'LoRA' },
        { name: 'Full fine-tuning', method: { peft_type: 'FULL' }, training: { learning_rate: 2e-5 } },
      ],
      seeds: [1, 2],
      budget: { max_steps: 9 },
    });
    expect(entries.map(({ name, seed, run }) => [name, seed, run.method, run.training.learning_rate])).toEqual([
      ['LoRA', 1, { peft_type: 'LORA', r: 4 }, 1e-3],
      ['LoRA', 2, { peft_type: 'LORA', r: 4 }, 1e-3],
      ['Full fine-tuning', 1, { peft_type: 'FULL' }, 2e-5],
      ['Full fine-tuning', 2, { peft_type: 'FULL' }, 2e-5],
    ]);
  });

  it('varies options of the methods that have them, also in place of a proposed one', () => {
    const { race, entries } = proposed({
      methods: [LORA, LOHA, FULL],
      options: { r: [2, 8], target_modules: [null], select: ['bias'] },
    });
    expect(race).not.toHaveProperty('budget');
    expect(entries.map(({ name, run }) => [name, run.method])).toEqual([
      ['LoRA r=2 target_modules=null', { peft_type: 'LORA', r: 2, target_modules: null }],
      ['LoRA r=8 target_modules=null', { peft_type: 'LORA', r: 8, target_modules: null }],
      ['LoHa r=2 target_modules=null', { peft_type: 'LOHA', r: 2, target_modules: null }],
      ['LoHa r=8 target_modules=null', { peft_type: 'LOHA', r: 8, target_modules: null }],
      ['Full fine-tuning', { peft_type: 'FULL' }],
    ]);
  });

  it('multiplies each method’s own learning rate', () => {
    const { entries } = proposed({ methods: [LORA, FULL], rateFactors: [0.3, 3] });
    expect(entries.map(({ run }) => run.training.learning_rate)).toEqual([3e-4, 3e-3, 6e-6, 6e-5]);
  });

  it('leaves a rate alone that isn’t known', () => {
    const unknown = { ...FULL, proposed: { method: { peft_type: 'FULL' }, training: {} } };
    const { race } = proposed({ methods: [unknown], rateFactors: [3] });
    expect(race['vary']).toEqual([{ name: 'Full fine-tuning', method: { peft_type: 'FULL' } }]);
  });
});

test.each([
  ['100 steps', { max_steps: 100 }],
  ['1 step', { max_steps: 1 }],
  [' 20000  Tokens ', { tokens: 20000 }],
  ['2.5min', { minutes: 2.5 }],
  ['5 minutes', { minutes: 5 }],
  ['0 steps', null],
  ['1.5 steps', null],
  ['100', null],
  ['5 miles', null],
  ['', null],
])('the budget %j is %j', (text, budget) => {
  expect(parseBudget(text)).toEqual(budget);
});

test('rates for a run file without one are multiples of the proposed one', () => {
  const run = { ...RUN, training: {} };
  const comparison = { methods: [LORA], options: {}, rateFactors: [1, 3], seeds: 1, budget: null };
  const { vary } = proposeRace('r', { run, reference: 'a.tune.json' }, comparison);
  expect(vary).toEqual([{ name: 'LoRA', grid: { 'training.learning_rate': [2e-4, 6e-4] } }]);
});
