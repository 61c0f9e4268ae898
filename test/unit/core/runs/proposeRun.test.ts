// The run proposed for a model, a dataset and a method: valid, right for each method, and the same in whatever order the three are
// chosen.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { proposeRun, reproposed, type RunChoice } from '../../../../extension/src/core/runs/proposeRun.js';
import { peftMethods } from '../../../../extension/src/engine/peft/registry.js';
import { parseRun } from '../../../../extension/src/engine/run/readRunFile.js';

const rows = (name: string) => [
  { prompt: `Who is ${name}?`, completion: 'A pirate.' },
  { prompt: `Where is ${name}?`, completion: 'At sea.' },
];
const dataset = (name: string) => ({ train: `/data/${name}.messages.jsonl`, firstRows: rows(name) });
const method = (peft_type: string) => ({
  peft_type,
  learningRate: peftMethods.find(({ peftType }) => peftType === peft_type)!.learningRate,
});
const choice = (
  model: string | null,
  data: string | null,
  peft_type: string,
  parameters: number | null = null,
): RunChoice => ({
  model,
  parameters,
  dataset: data === null ? null : dataset(data),
  method: method(peft_type),
});

describe('proposeRun', () => {
  test.each(
    peftMethods.flatMap(({ peftType }) => [[peftType, 'embedded:tiny'] as const, [peftType, 'org/model'] as const]),
  )('%s on %s is a valid run file', (peftType, model) => {
    const run = proposeRun(choice(model, 'pirate', peftType));
    expect(parseRun(run, '/data/run.json').method.peftType).toBe(peftType);
  });

  test('holds rows out, asks sample prompts of the dataset, and names the run after dataset and method', () => {
    const run = proposeRun(choice('org/model', 'pirate', 'PROMPT_TUNING'));
    expect(run).toMatchObject({
      name: 'pirate-prompt-tuning',
      dataset: { train: '/data/pirate.messages.jsonl', validation: 0.1 },
      samples: { prompts: ['Who is pirate?', 'Where is pirate?'] },
      engine: { precision: 'auto' },
    });
    expect(proposeRun(choice(null, null, 'LORA')).name).toBe('run-lora');
  });

  test.each(peftMethods)('the learning rate of $peftType falls from small models to large ones', ({ peftType }) => {
    const rate = (parameters: number | null, model = 'org/model') =>
      proposeRun(choice(model, 'pirate', peftType, parameters)).training.learning_rate!;
    const { learningRate } = method(peftType);
    expect([rate(null), rate(1e9), rate(7e10)]).toEqual([learningRate, learningRate, learningRate]);
    const smallest = [1e5, 4e5, 1.7e6, 1.35e8, 5e8].map(size => rate(size));
    expect(rate(null, 'embedded:tiny')).toBe(rate(1_750_240));
    expect(smallest.at(-1)).toBeGreaterThanOrEqual(learningRate);
    expect(smallest[0]).toBeGreaterThan(learningRate);
  });

  test('LoRA adapts all linear layers, with the alpha that the rates were measured with', () => {
    expect(proposeRun(choice('org/model', 'pirate', 'LORA')).method).toEqual({
      peft_type: 'LORA',
      lora_alpha: 16,
      target_modules: 'all-linear',
    });
  });

  test('the example run file is what is proposed for the embedded model, with prompts and validation of its own', () => {
    const file = new URL('../../../../media/examples/pirate.tune.json', import.meta.url);
    const example = JSON.parse(readFileSync(file, 'utf8'));
    const run = proposeRun(choice('embedded:tiny', 'pirate', 'LORA'));
    expect(example.method).toMatchObject(run.method);
    expect(example.training).toMatchObject(run.training);
    expect(example.dataset.max_length).toBe(run.dataset.max_length);
  });
});

describe('reproposed', () => {
  const choices = [
    { key: 'model', value: 'embedded:tiny', other: 'org/model' },
    { key: 'data', value: 'pirate', other: 'haiku' },
    { key: 'peft_type', value: 'FULL', other: 'LORA' },
  ] as const;
  type State = { model: string | null; data: string | null; peft_type: string };
  const proposed = ({ model, data, peft_type }: State) => proposeRun(choice(model, data, peft_type));
  /** As the panel does: a choice, then what is proposed for all of them. */
  const after = (steps: readonly Partial<State>[], edit = (draft: object): object => draft) => {
    let state: State = { model: null, data: null, peft_type: 'LORA' };
    let draft: Record<string, unknown> = { ...reproposed({}, {}, proposed(state)) };
    for (const step of steps) {
      const before = proposed(state);
      state = { ...state, ...step };
      draft = { ...reproposed(edit(draft) as Record<string, unknown>, before, proposed(state)) };
    }
    return { draft, proposal: proposed(state) };
  };
  const permutations = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];

  test.each(permutations)(
    'choices in the order %i, %i, %i, each changed once, give the proposal for the last ones',
    (...order) => {
      const steps = [
        ...order.map(i => ({ [choices[i]!.key]: choices[i]!.other })),
        ...order.map(i => ({ [choices[i]!.key]: choices[i]!.value })),
      ];
      const { draft, proposal } = after(steps);
      const { name: _, ...expected } = proposal;
      expect(draft).toEqual(expected);
    },
  );

  test('what the user has set stays, and what was reset is not proposed again', () => {
    const draft = {
      model: 'org/model',
      dataset: { train: '/data/a.jsonl', max_length: 99 },
      training: { learning_rate: 1e-4 },
    };
    const before = proposed({ model: 'org/model', data: 'pirate', peft_type: 'LORA' });
    const now = proposed({ model: 'embedded:tiny', data: 'pirate', peft_type: 'LORA' });
    const next = reproposed(draft, before, now) as any;
    expect(next.model).toBe('embedded:tiny');
    expect(next.dataset).toEqual({ train: '/data/a.jsonl', max_length: 99 });
    expect(next.training).toMatchObject({ learning_rate: 1e-4, num_train_epochs: expect.any(Number) });
    expect(next).not.toHaveProperty('samples');
  });

  test('leaves out the rows in the quarantine of its dataset, and of no other', () => {
    const exclude = '/data/pirate.messages.jsonl.quarantine';
    const pirate = choice('org/model', 'pirate', 'LORA');
    const before = proposeRun({ ...pirate, dataset: { ...pirate.dataset!, exclude } });
    expect(before.dataset.exclude).toBe(exclude);
    expect(proposeRun(pirate).dataset).not.toHaveProperty('exclude');
    const haiku = reproposed(before, before, proposed({ model: 'org/model', data: 'haiku', peft_type: 'LORA' }));
    expect(haiku['dataset']).not.toHaveProperty('exclude');
    const own = { ...before, dataset: { ...before.dataset, exclude: '/data/my.quarantine' } };
    const ia3 = reproposed(
      own,
      before,
      proposeRun({ ...pirate, dataset: { ...pirate.dataset!, exclude }, method: method('IA3') }),
    );
    expect(ia3['dataset']).toMatchObject({ exclude: '/data/my.quarantine' });
  });

  test('options of a method end with it, format and columns with their dataset; other keys stay', () => {
    const before = proposed({ model: 'org/model', data: 'pirate', peft_type: 'LORA' });
    const draft = {
      ...before,
      name: 'mine',
      method: { peft_type: 'LORA', r: 4 },
      dataset: { ...before.dataset, format: 'messages', columns: { a: 'b' }, packing: false },
    };
    const ia3 = reproposed(draft, before, proposed({ model: 'org/model', data: 'pirate', peft_type: 'IA3' }));
    expect(ia3).toMatchObject({ name: 'mine', method: { peft_type: 'IA3' }, dataset: { format: 'messages' } });
    expect(ia3['method']).not.toHaveProperty('r');
    const haiku = reproposed(draft, before, proposed({ model: 'org/model', data: 'haiku', peft_type: 'LORA' }));
    expect(haiku['dataset']).toEqual({ train: '/data/haiku.messages.jsonl', validation: 0.1, packing: false });
    expect(haiku['method']).toEqual({ peft_type: 'LORA', r: 4 });
  });
});
