// What reading rows is, whatever the file type: places in one pass, texts of some places, values of a text. Training takes all
// three in a row; the preview keeps the places and asks for texts when somebody looks. No reader holds its file in memory.
import type { Row } from '../core/data/example.js';
import type { OnRow } from '../core/data/rowScanner.js';
import type { InputError } from '../core/inputError.js';

/** `start` and `end` (exclusive) in units of the reader, as `scan` told them. */
export interface RowPlace {
  start: number;
  end: number;
}

export interface RowReader {
  /** Bytes of the file; UTF-16 units of an editor's text. */
  readonly size: number;
  /** SHA-256 of the file, hexadecimal, once it is scanned; null before, and for a text that is not a file yet. */
  readonly contentHash: string | null;
  /** What is wrong with the file beside single rows, once it is scanned. */
  readonly fault: InputError | null;
  /**
   * Finds every row, block by block; after each it gives the share that has been read, 0 to 1.
   * @throws InputError for a file of which no row can be read
   */
  scan(onRow: OnRow): AsyncGenerator<number>;
  /** The texts of rows that follow each other, as they stand in the file. */
  texts(places: readonly RowPlace[]): Promise<string[]>;
  /** The row that a text of `texts` holds. @throws InputError (without where) for a text that is not a row */
  parse(text: string): Row;
  close(): Promise<void>;
}
