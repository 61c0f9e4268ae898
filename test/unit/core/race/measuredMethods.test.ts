// What races have measured of each method, for the cards of the run panel.
import { expect, it } from 'vitest';
import { measuredMethods } from '../../../../extension/src/core/race/measuredMethods.js';
import type { RunFigures } from '../../../../extension/src/core/race/raceFigures.js';
import type { FolderFigures, RaceFiles } from '../../../../extension/src/protocol/raceMessages.js';
import { finishedRun, unfinishedRun } from '../../../support/raceRuns.js';

const RUN = { model: 'm', dataset: { train: 'rows.jsonl', validation: 0.1 }, method: { peft_type: 'LORA' } };

function race(name: string, ...runs: RunFigures[]): RaceFiles {
  const folders = Object.fromEntries(
    runs.map(({ name: entry, seed, ...figures }): [string, FolderFigures] => [`runs/${entry}-seed${seed}`, figures]),
  );
  const entries = [...new Set(runs.map(run => run.name))];
  const seeds = [...new Set(runs.map(({ seed }) => seed))];
  return {
    race: { name, run: RUN, vary: entries.map(entry => ({ name: entry })), seeds },
    run: null,
    folders,
    baseScore: null,
  };
}

it('the best entry of each method, of all races', () => {
  const measured = measuredMethods([
    race('first', finishedRun('a', 1, { validation_loss: 1.3 }), finishedRun('b', 1, { peft_type: 'FULL' })),
    race(
      'second',
      finishedRun('c', 1, { validation_loss: 1.22, peak_rss_bytes: 800e6, train_seconds: 170 }),
      finishedRun('c', 2, { validation_loss: 1.24, peak_rss_bytes: 812e6, train_seconds: 190 }),
      finishedRun('d', 1, { validation_loss: 1.4 }),
      finishedRun('d', 2, { validation_loss: 1.4 }),
    ),
  ]);
  expect([...measured.keys()]).toEqual(['LORA', 'FULL']);
  expect(measured.get('LORA')).toEqual({
    loss: '1.2300 ± 0.0141',
    text: 'validation loss 1.2300 ± 0.0141, 1.00% trained, 812 MB, 3:00 (c in the race “second”)',
  });
  expect(measured.get('FULL')!.loss).toBe('1.0000');
});

it('not an entry with seeds that failed or are missing, nor a race that can’t be read', () => {
  const broken = { ...race('broken', finishedRun('a', 1)), race: { vary: [] } };
  const measured = measuredMethods([
    broken,
    race(
      'half',
      finishedRun('a', 1),
      unfinishedRun('a', 2),
      finishedRun('b', 1, { peft_type: 'IA3' }),
      finishedRun('b', 2, { peft_type: 'IA3', validation_loss: null }),
    ),
    race('failed', finishedRun('a', 1), unfinishedRun('a', 2, { status: 'failed', failure: 'x' })),
  ]);
  expect([...measured]).toEqual([]);
});

it('nothing of an entry whose parameters are unknown', () => {
  expect(measuredMethods([race('damaged', finishedRun('a', 1, { trainable_parameters: null }))]).size).toBe(0);
});
