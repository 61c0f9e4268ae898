// What the worker keeps of each row, its place and the results, in typed columns with chunks of 4,096 rows: a row costs
// some 20 bytes, growing never copies, and columns that only a sample of the rows fills take no memory for the rest.
// Used by analysedDataset.ts only.
import type { RowPlace } from '../../../rows/rowReader.js';
import { PROBLEM_CODES, type ProblemCode } from '../../../core/data/rowAnalysis.js';

const CHUNK_BITS = 12;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_ROWS - 1;

type Numbers = Float64Array | Uint32Array | Int32Array | Uint16Array;

class Column<A extends Numbers> {
  private readonly chunks: A[] = [];

  constructor(private readonly make: (length: number) => A) {}

  get(row: number): number {
    return this.chunks[row >>> CHUNK_BITS]?.[row & CHUNK_MASK] ?? 0;
  }

  /** Chunks of zeros are not allocated. */
  set(row: number, value: number): void {
    if (value === 0 && !this.chunks[row >>> CHUNK_BITS]) return;
    (this.chunks[row >>> CHUNK_BITS] ??= this.make(CHUNK_ROWS))[row & CHUNK_MASK] = value;
  }
}

const float64 = () => new Column(length => new Float64Array(length));
const uint32 = () => new Column(length => new Uint32Array(length));
const int32 = () => new Column(length => new Int32Array(length));

/** Ascending offsets in a text of any size, 4 bytes each: relative to the first of their chunk. */
class Places {
  private readonly bases: number[] = [];
  private readonly chunks: (Uint32Array | Float64Array)[] = [];

  get(row: number): number {
    const chunk = row >>> CHUNK_BITS;
    return this.bases[chunk] + this.chunks[chunk][row & CHUNK_MASK];
  }

  /** Rows must be set in order. */
  set(row: number, place: number): void {
    const chunk = row >>> CHUNK_BITS;
    this.bases[chunk] ??= place;
    this.chunks[chunk] ??= new Uint32Array(CHUNK_ROWS);
    const offset = place - this.bases[chunk];
    // The rows of this chunk exceed 4 GB.
    if (offset > 0xffffffff) this.chunks[chunk] = Float64Array.from(this.chunks[chunk]);
    this.chunks[chunk][row & CHUNK_MASK] = offset;
  }
}

/** In addition to the bits of the problems: the row was parsed, and its tokens were counted. */
const PARSED = 1 << 14;
const COUNTED = 1 << 15;

export class RowTable {
  length = 0;
  private readonly starts = new Places();
  /** Units between this row and the next minus one, such as 1 for CR LF: zeros in most files. */
  private readonly extraGaps = int32();
  private lastEnd = 0;
  /** Line number minus row number, zeros in files with one row per line; negative where a line has several. */
  private readonly extraLines = int32();
  /** Fingerprint of the row's text. */
  readonly text = float64();
  /** Fingerprint of the row's example; 0 if it has none. */
  readonly example = float64();
  readonly tokens = uint32();
  readonly labelTokens = uint32();
  private readonly flags = new Column(length => new Uint16Array(length));

  add(start: number, end: number, line: number): void {
    const row = this.length++;
    if (row > 0) this.extraGaps.set(row - 1, start - this.lastEnd - 1);
    this.starts.set(row, start);
    this.lastEnd = end;
    this.extraLines.set(row, line - row - 1);
  }

  /** Of the rows from `from` to `to` (exclusive). */
  places(from: number, to: number): RowPlace[] {
    return Array.from({ length: to - from }, (_, i) => ({ start: this.start(from + i), end: this.end(from + i) }));
  }
  start(row: number): number {
    return this.starts.get(row);
  }
  end(row: number): number {
    return row + 1 < this.length ? this.starts.get(row + 1) - this.extraGaps.get(row) - 1 : this.lastEnd;
  }
  /** Units of the row's text. */
  size(row: number): number {
    return this.end(row) - this.starts.get(row);
  }
  line(row: number): number {
    return row + 1 + this.extraLines.get(row);
  }

  isParsed(row: number): boolean {
    return (this.flags.get(row) & PARSED) !== 0;
  }
  isCounted(row: number): boolean {
    return (this.flags.get(row) & COUNTED) !== 0;
  }
  markParsed(row: number): void {
    this.flags.set(row, this.flags.get(row) | PARSED);
  }
  setCounts(row: number, tokens: number, labelTokens: number): void {
    this.tokens.set(row, tokens);
    this.labelTokens.set(row, labelTokens);
    this.flags.set(row, this.flags.get(row) | COUNTED | PARSED);
  }

  addProblem(row: number, code: ProblemCode): void {
    this.flags.set(row, this.flags.get(row) | bitOf(code));
  }
  hasProblem(row: number, code?: ProblemCode): boolean {
    return (this.flags.get(row) & (code === undefined ? ALL_PROBLEMS : bitOf(code))) !== 0;
  }
  problems(row: number): ProblemCode[] {
    const flags = this.flags.get(row);
    return PROBLEM_CODES.filter(code => (flags & bitOf(code)) !== 0);
  }
  /** For sorting: worse problems first, rows without problems last. */
  problemRank(row: number): number {
    const bits = this.flags.get(row) & ALL_PROBLEMS;
    return bits === 0 ? 32 : 31 - Math.clz32(bits & -bits);
  }

  /** Copies the results of a row with the same text from an earlier table. */
  copy(row: number, from: RowTable, source: number): void {
    this.example.set(row, from.example.get(source));
    this.tokens.set(row, from.tokens.get(source));
    this.labelTokens.set(row, from.labelTokens.get(source));
    this.flags.set(row, from.flags.get(source) & ~COMPARED_PROBLEMS);
  }
}

function bitOf(code: ProblemCode): number {
  return 1 << PROBLEM_CODES.indexOf(code);
}

const ALL_PROBLEMS = (1 << PROBLEM_CODES.length) - 1;
/** Problems that depend on other rows. */
const COMPARED_PROBLEMS = bitOf('duplicate') | bitOf('in_validation');
