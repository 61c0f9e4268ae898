// In which order the rows of a run are worth a look. Pure; called for `rows --by`.
import type { RowOrder } from '../../protocol/rowLosses.js';
import { excessOverAlike } from './excessOverAlike.js';

/** A row with the means over its label tokens, under the base and under the trained model. */
interface MeasuredRow {
  before: number | null;
  now: number;
  /** What the row asks. */
  question: string;
}

const SCORES: Readonly<Record<RowOrder, (rows: readonly MeasuredRow[]) => number[]>> = {
  suspect: excessOverAlike,
  highest: rows => rows.map(({ now }) => now),
  lowest: rows => rows.map(({ now }) => -now),
  changed: rows => rows.map(({ before, now }) => Math.abs(now - (before ?? now))),
};

/** The first row first; of equal ones in their given order. */
export function orderedRows<Row extends MeasuredRow>(rows: readonly Row[], by: RowOrder): Row[] {
  const scores = SCORES[by](rows);
  return [...rows.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).map(i => rows[i]!);
}
