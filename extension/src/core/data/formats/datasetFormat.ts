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

/** A conversation that becomes a row. */
export interface Conversation {
  messages: readonly ChatMessage[];
  /** JSON schemas of the functions that may be called. */
  tools?: readonly unknown[];
}

/** Two answers to one prompt that become a row. */
export interface PreferencePair {
  prompt: readonly ChatMessage[];
  chosen: readonly ChatMessage[];
  rejected: readonly ChatMessage[];
}

/** What can be added to a dataset as a row. */
export interface RowContents {
  conversation: Conversation;
  preference: PreferencePair;
}

/**
 * Writes rows in the format's fields.
 * @param first rows of the file with mapped columns, whose names of roles and forms of fields are kept
 * @throws InputError, without file and line, that says why the format or the file can't hold the content
 */
export type RowWriter<Content> = (content: Content, first: readonly Row[]) => Row;

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
  /** Set if nothing trains on such rows; rows that also fit a format that is trained on are of that one. */
  readonly isUntrained?: true;
  /** Whether the row looks like this format, by the names of its fields and the rough type of their values. */
  detect(row: Row): boolean;
  /** @throws InputError with file and line if the row is not in this format */
  parse(row: Row, source: RowSource): Example;
  /** How rows with this content are written; absent: the format can't hold it. */
  readonly writes?: { readonly [Kind in keyof RowContents]?: RowWriter<RowContents[Kind]> };
  /** The content for which this is the format of new files. */
  readonly newFilesOf?: keyof RowContents;
}
