// Counts rows with a problem and remembers the first of them, by kind, for warnings and for the error of a dataset that has no row
// left. Used by loadDataset.
import { describeSource, type RowSource } from '../../core/data/example.js';

/** Number of rows that a message lists for each kind. */
const NAMED_ROWS = 5;
/** In characters; a message may quote what is in the row. */
const LONGEST_REASON = 300;
/** Number of kinds that are counted separately; all others are counted together. */
const MAX_KINDS = 12;

export class RowNotes {
  count = 0;
  private readonly first: string[] = [];

  add(source: RowSource): void {
    this.count++;
    if (this.first.length < NAMED_ROWS) this.first.push(describeSource(source));
  }

  /** `file:1, file:2, file:9` */
  get places(): string {
    return this.first.join(', ') + (this.count > this.first.length ? ', ...' : '');
  }

  /** `3 rows ... (file:1, file:2, file:9)` */
  describe(what: string): string {
    return `${rowCount(this.count)} ${what} (${this.places})`;
  }
}

export function rowCount(count: number): string {
  return `${count} ${count === 1 ? 'row' : 'rows'}`;
}

/** Reasons below a message. */
export function indented(lines: readonly string[]): string {
  return lines.map(line => `\n  ${line}`).join('');
}

/** Rows with a problem, by the reason. */
export class RowReasons {
  count = 0;
  private readonly kinds = new Map<string, { reason: string; notes: RowNotes }>();

  add(reason: string, source: RowSource): void {
    this.count++;
    const brief = reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}…` : reason;
    // Positions and values differ from row to row.
    const kind = brief.replace(/"[^"]*"|\d+/g, '#');
    const isOther = !this.kinds.has(kind) && this.kinds.size >= MAX_KINDS;
    const key = isOther ? OTHERS : kind;
    const entry = this.kinds.get(key) ?? { reason: isOther ? 'other reasons' : brief, notes: new RowNotes() };
    this.kinds.set(key, entry);
    entry.notes.add(source);
  }

  /** `3 rows: REASON (file:1, file:2, file:9)`, most frequent first. */
  describe(): string[] {
    return [...this.kinds.values()]
      .sort((a, b) => b.notes.count - a.notes.count)
      .map(({ reason, notes }) => `${rowCount(notes.count)}: ${reason} (${notes.places})`);
  }
}

const OTHERS = 'others';
