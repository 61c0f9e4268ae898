// What the worker remembers of each row: where it stands and what was found, in typed columns of 65,536 rows, so that millions
// of rows cost some 40 bytes each and growing never copies. Used by analysedDataset.ts only.
import { problemCodes, type ProblemCode } from '../../../core/data/rowAnalysis.js';

const chunkBits = 16;
const chunkRows = 1 << chunkBits;
const chunkMask = chunkRows - 1;

type Numbers = Float64Array | Uint32Array | Uint16Array;

class Column<A extends Numbers> {
  private readonly chunks: A[] = [];

  constructor(private readonly make: (length: number) => A) {}

  get(row: number): number {
    return this.chunks[row >>> chunkBits]?.[row & chunkMask] ?? 0;
  }

  /** Chunks that were never written to are not there, and read as 0. */
  set(row: number, value: number): void {
    (this.chunks[row >>> chunkBits] ??= this.make(chunkRows))[row & chunkMask] = value;
  }
}

const float64 = () => new Column(length => new Float64Array(length));
const uint32 = () => new Column(length => new Uint32Array(length));

/** Beside the problems' bits: the row was parsed, and its tokens were counted. */
const PARSED = 1 << 14;
const COUNTED = 1 << 15;

export class RowTable {
  length = 0;
  private readonly starts = float64();
  private readonly sizes = uint32();
  private readonly lines = uint32();
  /** Fingerprint of the row's text. */
  readonly text = float64();
  /** Fingerprint of the row as an example; 0 where it is none. */
  readonly example = float64();
  readonly tokens = uint32();
  readonly labelTokens = uint32();
  private readonly flags = new Column(length => new Uint16Array(length));

  add(start: number, end: number, line: number): void {
    const row = this.length++;
    this.starts.set(row, start);
    this.sizes.set(row, Math.min(end - start, 0xffffffff));
    this.lines.set(row, line);
  }

  start(row: number): number {
    return this.starts.get(row);
  }
  end(row: number): number {
    return this.starts.get(row) + this.sizes.get(row);
  }
  /** Units of the row's text. */
  size(row: number): number {
    return this.sizes.get(row);
  }
  line(row: number): number {
    return this.lines.get(row);
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
  removeProblem(row: number, code: ProblemCode): void {
    this.flags.set(row, this.flags.get(row) & ~bitOf(code));
  }
  hasProblem(row: number, code?: ProblemCode): boolean {
    return (this.flags.get(row) & (code === undefined ? allProblems : bitOf(code))) !== 0;
  }
  problems(row: number): ProblemCode[] {
    const flags = this.flags.get(row);
    return problemCodes.filter(code => (flags & bitOf(code)) !== 0);
  }
  /** Rows without problems come last; worse problems first. */
  problemRank(row: number): number {
    const bits = this.flags.get(row) & allProblems;
    return bits === 0 ? 32 : 31 - Math.clz32(bits & -bits);
  }

  /** Takes what was found of the same text over from an earlier table. */
  copy(row: number, from: RowTable, source: number): void {
    this.example.set(row, from.example.get(source));
    this.tokens.set(row, from.tokens.get(source));
    this.labelTokens.set(row, from.labelTokens.get(source));
    this.flags.set(row, from.flags.get(source) & ~comparedProblems);
  }
}

function bitOf(code: ProblemCode): number {
  return 1 << problemCodes.indexOf(code);
}

const allProblems = (1 << problemCodes.length) - 1;
/** Those that depend on other rows. */
const comparedProblems = bitOf('duplicate') | bitOf('in_validation');
