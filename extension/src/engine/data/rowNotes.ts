// Counts rows with a problem and remembers the first of them, by kind, for warnings and for the error of a dataset that has no row
// left. Used by loadDataset.
import { describeSource, type RowSource } from '../../core/data/example.js';
import type { InputError } from '../../core/inputError.js';

/** Number of rows that a message names for each kind. */
const NAMED_ROWS = 5;
/** In characters; a message may quote what is in the row. */
const LONGEST_REASON = 300;
/** Number of kinds that are told apart; all others are counted together. */
const MAX_KINDS = 12;

export class RowNotes {
  count = 0;
  private readonly first: string[] = [];

  add(source: RowSource): void {
    this.count++;
    if (this.first.length < NAMED_ROWS) this.first.push(describeSource(source));
  }

  /** `3 rows ... (file:1, file:2, file:9)` */
  describe(what: string): string {
    const more = this.count > this.first.length ? ', ...' : '';
    return `${rowCount(this.count)} ${what} (${this.first.join(', ')}${more})`;
  }
}

export function rowCount(count: number): string {
  return `${count} ${count === 1 ? 'row' : 'rows'}`;
}

/** Rows that can't be used, by the reason. */
export class BadRows {
  count = 0;
  /** The first one. */
  first: InputError | null = null;
  private readonly kinds = new Map<string, { message: string; notes: RowNotes }>();

  add(error: InputError, source: RowSource): void {
    this.count++;
    this.first ??= error;
    // Positions and values differ from row to row.
    const reason = error.message.length > LONGEST_REASON ? `${error.message.slice(0, LONGEST_REASON)}…` : error.message;
    const kind = reason.replace(/"[^"]*"|\d+/g, '#');
    const isNew = !this.kinds.has(kind);
    const key = isNew && this.kinds.size >= MAX_KINDS ? OTHERS : kind;
    const message = key === OTHERS ? 'other reasons' : reason;
    const entry = this.kinds.get(key) ?? { message, notes: new RowNotes() };
    this.kinds.set(key, entry);
    entry.notes.add(source);
  }

  /** A line for each reason, most frequent first. */
  describe(): string[] {
    return [...this.kinds.values()]
      .sort((a, b) => b.notes.count - a.notes.count)
      .map(({ message, notes }) => notes.describe(`can't be used: ${message}`));
  }
}

const OTHERS = 'others';
