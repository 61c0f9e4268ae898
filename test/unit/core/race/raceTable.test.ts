// The table of a race.
import { describe, expect, it } from 'vitest';
import { entryFigures, spreadOf } from '../../../../extension/src/core/race/raceFigures.js';
import { raceTable, rangeText, spreadText } from '../../../../extension/src/core/race/raceTable.js';
import { finishedRun, unfinishedRun } from '../../../support/raceRuns.js';

const RUNS = [
  finishedRun('LORA r=1', 1, { validation_loss: 1.25, trainable_parameters: 14480 }),
  finishedRun('LORA r=1', 2, { validation_loss: 1.35, trainable_parameters: 14480 }),
  finishedRun('full', 1, { validation_loss: 1, trainable_parameters: 1750240, train_seconds: 90 }),
  unfinishedRun('full', 2, { status: 'failed', failure: 'the loss of step 3 is non-finite' }),
];

describe('the table', () => {
  it('has means and deviations of finished runs, and what became of the others', () => {
    const { heading, rows, figures } = raceTable(entryFigures(RUNS), rangeText);
    expect(heading).toEqual([
      'Entry',
      'Trained parameters',
      'Validation loss',
      'Peak memory',
      'Training time',
      'Seeds',
      'On the front',
    ]);
    expect(rows).toEqual([
      ['LORA r=1', '14,480', '1.3000 ± 0.0707 (1.2500 to 1.3500)', '500 MB', '1:00', '2', 'yes'],
      ['full', '1,750,240', '1.0000', '500 MB', '1:30', '1 of 2, 1 failed', 'yes'],
    ]);
    expect(figures).toEqual([1, 2, 3, 4]);
  });

  it('has the score if there is one, and a dash for what is missing', () => {
    const entries = entryFigures([finishedRun('a', 1, { score: 0.875 }), unfinishedRun('b', 1)]);
    const { heading, rows } = raceTable(entries, spreadText);
    expect(heading[3]).toBe('Score');
    expect(rows).toEqual([
      ['a', '1,000', '1.0000', '88%', '500 MB', '1:00', '1', 'yes'],
      ['b', '–', '–', '–', '–', '–', '0 of 1, 1 waiting', ''],
    ]);
  });

  it('has what was forgotten, if it was measured', () => {
    const entries = entryFigures([
      finishedRun('a', 1, { kl_from_base: 0.25, general_loss: 2 }),
      finishedRun('a', 2, { kl_from_base: 0.75, general_loss: 2.5 }),
      finishedRun('b', 1),
      finishedRun('c', 1, { kl_from_base: 1, general_loss: 3 }),
      finishedRun('c', 2),
    ]);
    const { heading, rows, figures } = raceTable(entries, spreadText);
    expect(heading.slice(5, 7)).toEqual(['KL from the base', 'General text loss']);
    // A mean over some of the seeds isn't compared with means over all.
    expect(rows.map(row => row.slice(5, 7))).toEqual([
      ['0.5000 ± 0.3536', '2.2500 ± 0.3536'],
      ['–', '–'],
      ['–', '–'],
    ]);
    expect(figures).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

it('a spread is its mean, with the deviation if the values differ', () => {
  const text = (value: number) => value.toFixed(2);
  expect([[1], [1, 1], [1, 2]].map(values => spreadText(spreadOf(values), text))).toEqual([
    '1.00',
    '1.00',
    '1.50 ± 0.71',
  ]);
  expect([[1], [1, 1], [1, 2]].map(values => rangeText(spreadOf(values), text))).toEqual([
    '1.00',
    '1.00',
    '1.50 ± 0.71 (1.00 to 2.00)',
  ]);
  expect(spreadText(null, text)).toBe('–');
});
