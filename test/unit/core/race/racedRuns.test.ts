// A race from what its files say: for a race file that hasn't been started, and for a race folder; and what is wrong with them.
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { racedRuns } from '../../../../extension/src/core/race/racedRuns.js';
import { finishedRun } from '../../../support/raceRuns.js';

const RUN = { model: 'm', dataset: { train: 'rows.jsonl', validation: 0.1 }, method: { peft_type: 'LORA' } };
const RACE = { run: 'a.tune.json', vary: [{ name: 'a' }, { name: 'b' }], seeds: [1, 2] };

function figures(name: string, seed: number) {
  const { name: _, seed: __, ...rest } = finishedRun(name, seed);
  return rest;
}

describe('a race', () => {
  it('has a waiting run for each entry and seed before it was started', () => {
    const { race, runs } = racedRuns({ race: RACE, run: RUN, folders: {} }, 'a.race.json');
    expect(race.run).toBe(RUN);
    expect(race.name).toBe('race');
    expect(runs.map(({ name, seed, status, validation_loss: loss }) => [name, seed, status, loss])).toEqual([
      ['a', 1, 'waiting', null],
      ['a', 2, 'waiting', null],
      ['b', 1, 'waiting', null],
      ['b', 2, 'waiting', null],
    ]);
  });

  it('has the figures of its run folders; folders of no entry are left out', () => {
    const folders = { 'runs/b-seed1': figures('b', 1), 'runs/removed-seed1': figures('removed', 1) };
    const { runs } = racedRuns({ race: { ...RACE, run: RUN }, run: null, folders }, 'race.json');
    expect(runs.map(({ status }) => status)).toEqual(['waiting', 'waiting', 'finished', 'waiting']);
    expect(runs[2]).toEqual(finishedRun('b', 1));
  });
});

const broken = (changes: object) => ({ race: { ...RACE, ...changes }, run: RUN as Record<string, unknown> | null });
const { dataset, ...WITHOUT_DATASET } = RUN;

describe('an error names file and key', () => {
  it.each([
    ['no race file', { race: null, run: null }, 'a.race.json', undefined],
    ['no run file', { ...broken({}), run: null }, 'a.race.json', 'run'],
    ['an unknown key', broken({ seed: 1 }), 'a.race.json', 'seed'],
    ['no entries', broken({ vary: [] }), 'a.race.json', 'vary'],
    ['two of one name', broken({ vary: [{ name: 'a' }, { name: 'a' }] }), 'a.race.json', 'vary.1.name'],
    ['a wrong run file', { ...broken({}), run: WITHOUT_DATASET }, 'a.tune.json', 'dataset'],
    ['a wrong run in it', broken({ run: WITHOUT_DATASET }), 'a.race.json', 'run.dataset'],
    [
      'a wrong seed of the run',
      broken({ run: { ...RUN, training: { seed: 'x' } }, seeds: undefined }),
      'a.race.json',
      'run.training.seed',
    ],
    [
      'a run file that holds no rows out',
      { ...broken({}), run: { ...RUN, dataset: { ...dataset, validation: null } } },
      'a.tune.json',
      'dataset.validation',
    ],
    [
      'a run in it that holds none out',
      broken({ run: { ...RUN, dataset: { ...dataset, validation: null } } }),
      'a.race.json',
      'run.dataset.validation',
    ],
  ])('%s', (_, said, file, key) => {
    const error = (() => {
      try {
        racedRuns({ ...said, folders: {} }, 'a.race.json');
        return null;
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).record()).toMatchObject({ file, ...(key === undefined ? {} : { key }) });
  });
});
