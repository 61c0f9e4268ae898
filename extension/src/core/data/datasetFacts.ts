// What is said of a dataset before a run: its format, its rows, which of them can't be used, and whether they would end the run.
// Pure; called by the host with the worker's counts, shown by the run panel.
import { counted } from '../units.js';
import { runEndOf, type RowHandling } from './usableRows.js';

/** Number of rows of a kind, and the first of them. */
export interface CountedRows {
  count: number;
  first: { line: number; message: string } | null;
}

/** What a run would make of the rows. Rows of a large file that are not counted are taken as usable. */
export interface RowCounts {
  rows: number;
  /** Rows to train on. */
  usable: number;
  /** Can't be read, or not in the format of the others. */
  bad: CountedRows;
  /** Longer than max_length. */
  tooLong: CountedRows;
  /** No token is trained on. */
  masked: CountedRows;
  /** Trained to say nothing. */
  empty: CountedRows;
}

export interface DatasetCounts extends RowCounts {
  /** Title of the format; null if none was recognized. */
  format: string | null;
  /** Why the file as a whole can't be read; null if it can. */
  error: string | null;
  maxLength: number;
}

/** A sentence, and the line that it is about, from 1. */
export interface DatasetNote {
  text: string;
  line: number | null;
}

export interface DatasetFacts {
  /** `Conversations (ShareGPT) · 32 rows` */
  summary: string;
  notes: DatasetNote[];
  /** Why the run would end; null if it can start. */
  end: DatasetNote | null;
}

export function datasetFacts(counts: DatasetCounts, handling: RowHandling): DatasetFacts {
  const summary = [counts.format ?? '', counted(counts.rows, 'row')].filter(Boolean).join(' · ');
  const end = endOf(counts, handling);
  return { summary, notes: notesOf(counts, handling), end };
}

function notesOf({ bad, tooLong, masked, empty, maxLength }: DatasetCounts, { truncation }: RowHandling) {
  const lengths = { drop: 'left out', end: 'truncated', error: 'not accepted' }[truncation];
  const found: [CountedRows, string][] = [
    [bad, 'can’t be used, left out'],
    [masked, 'with nothing to train on, left out'],
    [empty, 'with an empty answer, trained on'],
    [tooLong, `longer than max_length (${maxLength}), ${lengths}`],
  ];
  return found.flatMap(([{ count: number, first }, what]): DatasetNote[] =>
    number === 0 ? [] : [{ text: `${counted(number, 'row')} ${what}`, line: first?.line ?? null }],
  );
}

function endOf(counts: DatasetCounts, handling: RowHandling): DatasetNote | null {
  const { error, rows: all, usable, bad, tooLong, masked, maxLength } = counts;
  const end = (why: string, { first }: Pick<CountedRows, 'first'>): DatasetNote => ({
    text: `The run would end: ${why}${first?.message ? `. The first, line ${first.line}: ${first.message}` : ''}.`,
    line: first?.line ?? null,
  });
  if (error !== null) return { text: `The run would end: ${error}`, line: null };
  if (all === 0) return end('the dataset has no rows', { first: null });
  switch (runEndOf({ rows: all, bad: bad.count, usable, tooLong: tooLong.count }, handling)) {
    case 'bad_row':
      return end(`${counted(bad.count, 'row')} can’t be used, and on_bad_row is "error"`, bad);
    case 'too_many_bad':
      return end(`${bad.count} of ${counted(all, 'row')} can’t be used, more than a tenth`, bad);
    case 'too_long':
      return end(
        `${counted(tooLong.count, 'row')} exceed max_length (${maxLength}), and truncation is "error"`,
        tooLong,
      );
    case 'none_left':
      return end('no row is left to train on', bad.first ? bad : masked.first ? masked : tooLong);
    case null:
      return null;
  }
}
