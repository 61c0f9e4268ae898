// The rule by which rows end a run; that the engine uses it is tested in test/unit/engine/data/loadDataset.test.ts.
import { expect, test } from 'vitest';
import { runEndOf, tooManyBad, type RowHandling } from '../../../../extension/src/core/data/usableRows.js';

const skip: RowHandling = { onBadRow: 'skip', truncation: 'end' };

test.each([
  [19, 19, false],
  [2, 20, false],
  [3, 20, true],
  [10, 100, false],
  [11, 100, true],
  [0, 0, false],
])('%i bad of %i rows are too many: %s', (bad, rows, expected) => expect(tooManyBad(bad, rows)).toBe(expected));

test.each([
  ['nothing wrong', { rows: 3, bad: 0, usable: 3, tooLong: 0 }, skip, null],
  ['a bad row is left out', { rows: 3, bad: 1, usable: 2, tooLong: 0 }, skip, null],
  ['a bad row ends the run', { rows: 3, bad: 1, usable: 2, tooLong: 0 }, { ...skip, onBadRow: 'error' }, 'bad_row'],
  ['too many', { rows: 20, bad: 3, usable: 17, tooLong: 0 }, skip, 'too_many_bad'],
  ['a long row ends the run', { rows: 3, bad: 0, usable: 3, tooLong: 1 }, { ...skip, truncation: 'error' }, 'too_long'],
  ['a long row is truncated', { rows: 3, bad: 0, usable: 3, tooLong: 1 }, skip, null],
  ['nothing left', { rows: 3, bad: 0, usable: 0, tooLong: 0 }, skip, 'none_left'],
  ['no rows', { rows: 0, bad: 0, usable: 0, tooLong: 0 }, skip, 'none_left'],
] as const)('%s', (_, use, handling, expected) => expect(runEndOf(use, handling)).toBe(expected));
