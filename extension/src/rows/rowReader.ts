// The interface for reading rows of any file type: positions in one pass, the texts at some positions, the values of a text.
// Training uses all three in sequence; the preview keeps the positions and reads texts when they are viewed. No reader keeps its
// file in memory.
import type { Row } from '../core/data/example.js';
import type { OnRow } from '../core/data/rowScanner.js';
import type { InputError } from '../core/inputError.js';

/** `start` and `end` (exclusive) in units of the reader, as reported by `scan`. */
export interface RowPlace {
  start: number;
  end: number;
}

export interface RowReader {
  /** Bytes of the file; UTF-16 units of an editor's text. */
  readonly size: number;
  /** SHA-256 of the file, hexadecimal; null before the scan is complete, and for an editor's text. */
  readonly contentHash: string | null;
  /** An error outside the rows; known once the file is scanned. */
  readonly fault: InputError | null;
  /**
   * Finds all rows, block by block; yields the share read so far, 0 to 1, after each block.
   * @throws InputError if no row of the file can be read
   */
  scan(onRow: OnRow): AsyncGenerator<number>;
  /** The texts of rows, in ascending order of position. */
  texts(places: readonly RowPlace[]): Promise<string[]>;
  /** Parses a text from `texts`. @throws InputError (without file and line) if it is not a row */
  parse(text: string): Row;
  /** The column at which the row at `start` begins, from 1; null if that isn't known. */
  columnOf(start: number): Promise<number | null>;
  close(): Promise<void>;
}
