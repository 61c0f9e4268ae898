// The interface of a dataset format: one file in this folder implements it, one line in registry.ts lists it. Docs, the
// preview and error messages are generated from it.
import type { ChatMessage, Example, Row, RowSource } from '../example.js';

export interface FormatField {
  name: string;
  required: boolean;
  /** Columns of other tools that are read as this field if the rows fit no format as they are. */
  aliases?: readonly string[];
  description: string;
}

export interface DatasetFormat {
  /** As in the run file's dataset.format. */
  readonly name: string;
  readonly title: string;
  readonly fields: readonly FormatField[];
  /**
   * Set if rows of another format may have its field in addition, as the `text` that a tool rendered from the other fields: the
   * other format is meant then.
   */
  readonly yields?: true;
  /** Whether the row looks like this format, by the names of its fields and the rough type of their values. */
  detect(row: Row): boolean;
  /** @throws InputError with file and line if the row is not in this format */
  parse(row: Row, source: RowSource): Example;
  /**
   * A conversation as a row of this format, with the layout of the row `like`; absent if the format can't hold one.
   * @throws Error if it can't hold this one
   */
  toRow?(messages: readonly ChatMessage[], like: Row): Row;
}
