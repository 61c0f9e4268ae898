// From a race file to the run files of its entries.
import { describe, expect, it } from 'vitest';
import { expandRace, folderName } from '../../../../extension/src/core/race/expandRace.js';
import { raceConfigSchema } from '../../../../extension/src/protocol/raceConfig.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const RUN = {
  name: 'base',
  model: 'm',
  dataset: { train: 'rows.jsonl', validation: 0.1 },
  method: { peft_type: 'LORA', r: 8, lora_alpha: 16 },
  training: { learning_rate: 1e-3, num_train_epochs: 2, seed: 7 },
};

const expand = (race: Record<string, unknown>, run: Record<string, unknown> = RUN) =>
  expandRace(raceConfigSchema.parse({ run, ...race }), run, 'a.race.json');
const names = (race: Record<string, unknown>) => expand(race).map(({ name }) => name);
const errorOf = (race: Record<string, unknown>, run?: Record<string, unknown>) =>
  inputErrorOf(() => expand(race, run)).then(error => error.record());

describe('an entry', () => {
  it('changes keys of the method and of the training, and keeps the others', () => {
    const [entry] = expand({ vary: [{ method: { r: 1 }, training: { learning_rate: 5e-3 } }] });
    expect(entry!.run['method']).toEqual({ peft_type: 'LORA', r: 1, lora_alpha: 16 });
    expect(entry!.run['training']).toEqual({ learning_rate: 5e-3, num_train_epochs: 2, seed: 7 });
    expect(entry!.run['dataset']).toEqual(RUN.dataset);
  });

  it('with another method has none of the options of the run file’s', () => {
    const [entry] = expand({ vary: [{ method: { peft_type: 'IA3' } }] });
    expect(entry!.run['method']).toEqual({ peft_type: 'IA3' });
  });

  it('that repeats the run file’s method keeps its options', () => {
    const [entry] = expand({ vary: [{ method: { peft_type: 'LORA', r: 2 } }] });
    expect(entry!.run['method']).toEqual({ peft_type: 'LORA', r: 2, lora_alpha: 16 });
  });

  it('is named after what it changes, unless it has a name', () => {
    const vary = [
      {},
      { method: { r: 4 }, training: { learning_rate: 0.01 } },
      { method: { peft_type: 'FULL' } },
      { method: { target_modules: ['q_proj', 'v_proj'], use_rslora: true } },
      { name: ' mine ', method: { r: 64 } },
    ];
    expect(names({ vary })).toEqual([
      'LORA',
      'LORA r=4 learning_rate=0.01',
      'FULL',
      'LORA target_modules=q_proj+v_proj use_rslora=true',
      'mine',
    ]);
    const [long] = names({ vary: [{ method: { target_modules: Array.from({ length: 30 }, (_, i) => `layer${i}`) } }] });
    expect(long).toHaveLength(60);
    expect(long).toMatch(/^LORA target_modules=layer0\+.*…$/);
  });

  it('says where the race file has each of its changes', () => {
    const [, entry] = expand({ vary: [{}, { training: { learning_rate: 1 }, grid: { 'method.r': [4] } }] });
    expect(Object.fromEntries(entry!.places)).toEqual({
      'training.learning_rate': 'vary.1.training.learning_rate',
      'method.r': 'vary.1.grid.method.r',
    });
    expect(entry!.place).toBe('vary.1');
  });
});

describe('a grid', () => {
  it('is every combination, the last key changing first', () => {
    const grid = { 'method.r': [1, 4], 'training.learning_rate': [1e-3, 1e-2] };
    const entries = expand({ vary: [{ grid }] });
    expect(entries.map(({ name }) => name)).toEqual([
      'LORA r=1 learning_rate=0.001',
      'LORA r=1 learning_rate=0.01',
      'LORA r=4 learning_rate=0.001',
      'LORA r=4 learning_rate=0.01',
    ]);
    expect(
      entries.map(({ run }) => [(run['method'] as { r: number }).r, (run['training'] as any).learning_rate]),
    ).toEqual([
      [1, 1e-3],
      [1, 1e-2],
      [4, 1e-3],
      [4, 1e-2],
    ]);
  });

  it('takes lists as values, and adds to the name of its entry', () => {
    const grid = { 'method.target_modules': ['all-linear', ['q_proj', 'v_proj']] };
    expect(names({ vary: [{ name: 'x', grid }] })).toEqual([
      'x target_modules=all-linear',
      'x target_modules=q_proj+v_proj',
    ]);
  });

  it('has keys of method and training only, and none that the entry has, too', async () => {
    for (const key of ['r', 'dataset.train', 'method', 'method.a.b'])
      expect(await errorOf({ vary: [{ grid: { [key]: [1] } }] })).toMatchObject({ key: `vary.0.grid.${key}` });
    expect(await errorOf({ vary: [{ method: { r: 1 }, grid: { 'method.r': [2] } }] })).toMatchObject({
      message: 'this entry has method.r outside of its grid, too',
      key: 'vary.0.grid.method.r',
    });
  });
});

describe('seeds', () => {
  it('are each trained with each entry, in a folder of its own', () => {
    const entries = expand({ vary: [{}, { method: { r: 1 } }], seeds: [3, 1] });
    expect(entries.map(({ folder, run }) => [folder, (run['training'] as { seed: number }).seed])).toEqual([
      ['runs/LORA-seed3', 3],
      ['runs/LORA-seed1', 1],
      ['runs/LORA-r-1-seed3', 3],
      ['runs/LORA-r-1-seed1', 1],
    ]);
    expect(new Set(entries.map(({ run }) => run['name'])).size).toBe(4);
  });

  it('are that of the run file by default, or the run file’s default', () => {
    expect(expand({ vary: [{}] }).map(({ seed }) => seed)).toEqual([7]);
    expect(expand({ vary: [{}] }, { ...RUN, training: {} }).map(({ seed }) => seed)).toEqual([42]);
  });

  it('don’t repeat, and aren’t in an entry', async () => {
    expect(await errorOf({ vary: [{}], seeds: [1, 2, 1] })).toMatchObject({ file: 'a.race.json', key: 'seeds.2' });
    expect(await errorOf({ vary: [{ training: { seed: 1 } }] })).toMatchObject({ key: 'vary.0.training.seed' });
    expect(await errorOf({ vary: [{ grid: { 'training.seed': [1] } }] })).toMatchObject({
      key: 'vary.0.grid.training.seed',
    });
  });
});

describe('a budget', () => {
  const trainingOf = (budget: unknown, training = {}) =>
    expand({ vary: [{}], budget }, { ...RUN, training: { ...RUN.training, ...training } })[0]!.run['training'];

  it('sets how long all runs are, and ends other limits', () => {
    expect(trainingOf({ max_steps: 9 }, { max_minutes: 1 })).toMatchObject({ max_steps: 9, max_minutes: null });
    expect(trainingOf({ minutes: 0.5 }, { max_steps: 30 })).toMatchObject({ max_steps: 30, max_minutes: 0.5 });
    expect(trainingOf({ tokens: 100 })).toEqual(RUN.training);
    expect(trainingOf(undefined)).toEqual(RUN.training);
  });

  it('leaves no entry a length of its own', async () => {
    for (const key of ['max_steps', 'num_train_epochs', 'max_minutes']) {
      const race = { vary: [{ training: { [key]: 2 } }] };
      expect(await errorOf({ ...race, budget: { tokens: 5 } })).toMatchObject({ key: `vary.0.training.${key}` });
      expect(expand(race)).toHaveLength(1);
    }
  });

  it('is exactly one of three', () => {
    for (const budget of [{}, { max_steps: 1, tokens: 1 }, { minutes: 0 }, { max_steps: 1.5 }, { steps: 1 }])
      expect(raceConfigSchema.safeParse({ run: 'r', vary: [{}], budget }).success, JSON.stringify(budget)).toBe(false);
  });
});

describe('names', () => {
  it('that repeat, or that are the same folder, are an error of the later entry', async () => {
    expect(await errorOf({ vary: [{ name: 'a' }, {}, { name: 'a', method: { r: 1 } }] })).toMatchObject({
      message: 'vary.0 has the name "a", too',
      key: 'vary.2.name',
    });
    expect(await errorOf({ vary: [{}, {}] })).toMatchObject({ key: 'vary.1.name' });
    for (const [first, second] of [
      ['a b', 'a-b'],
      ['A', 'a'],
      ['é', 'e\u0301'],
      ['!', '?'],
    ])
      expect((await errorOf({ vary: [{ name: first }, { name: second }] })).message, `${first} ${second}`).toMatch(
        /too much alike|has the name/,
      );
  });

  it('become folders that stay in the race folder', () => {
    expect(['../x', 'a/b\\c', 'LORA r=4', '試験 1', '…', '.hidden', 'x.'].map(folderName)).toEqual([
      'x',
      'a-b-c',
      'LORA-r-4',
      '試験-1',
      'entry',
      'hidden',
      'x',
    ]);
  });
});

it('an adapter to start from has options that can’t be varied, unless the entry is without it', async () => {
  const run = { ...RUN, method: { peft_type: 'LORA', init_from: '/adapter' } };
  expect(await errorOf({ vary: [{ method: { r: 2 } }] }, run)).toMatchObject({ key: 'vary.0.method.r' });
  expect(expand({ vary: [{ training: { learning_rate: 1 } }] }, run)[0]!.run['method']).toEqual(run.method);
  expect(expand({ vary: [{ method: { init_from: null, r: 2 } }] }, run)[0]!.run['method']).toMatchObject({ r: 2 });
});

it('a grid with more runs than a race can have is refused before they are made', async () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  const grid = Object.fromEntries(['r', 'lora_alpha', 'lora_dropout', 'a', 'b'].map(key => [`method.${key}`, values]));
  const { message, key } = await errorOf({ vary: [{}, { grid }], seeds: [1, 2] });
  expect(message).toBe('the race has 20,000,000,002 runs, and may have 1,000');
  expect(key).toBe('vary');
});

it('a grid of many keys takes a time linear in their number', () => {
  const grid = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`training.key${i}`, [i]]));
  const began = performance.now();
  expect(expand({ vary: [{ name: 'a', grid }] })[0]!.run['training']).toMatchObject({ key0: 0, key19999: 19_999 });
  expect(performance.now() - began).toBeLessThan(5000);
});
