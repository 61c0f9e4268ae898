// When rows that can't be used end a run: one rule for the engine (loadDataset), and for what is said before a run starts. Pure.

/** Among at least so many rows, a larger share of bad ones is a mistake in the file or in how it is read. */
const BAD_ROWS = { of: 20, share: 0.1 };

export function tooManyBad(bad: number, rows: number): boolean {
  return rows >= BAD_ROWS.of && bad > rows * BAD_ROWS.share;
}

/** Numbers of rows by what a run does with them. */
export interface RowUse {
  rows: number;
  /** Can't be read, or not in the format of the others. */
  bad: number;
  /** Left to train on. */
  usable: number;
  /** Longer than max_length. */
  tooLong: number;
}

/** How the run file wants such rows to be handled. */
export interface RowHandling {
  onBadRow: 'skip' | 'error';
  truncation: 'drop' | 'end' | 'error';
}

/** Why these rows would end a run, as the engine decides; null if they wouldn't. */
export type RunEnd = 'bad_row' | 'too_many_bad' | 'too_long' | 'none_left';

export function runEndOf({ rows, bad, usable, tooLong }: RowUse, { onBadRow, truncation }: RowHandling): RunEnd | null {
  if (bad > 0 && onBadRow === 'error') return 'bad_row';
  if (tooLong > 0 && truncation === 'error') return 'too_long';
  if (tooManyBad(bad, rows)) return 'too_many_bad';
  return usable === 0 ? 'none_left' : null;
}
