// The shapes that dataset rows take on their way to a batch: row -> Conversation | Completion | ... -> EncodedExample.
// Made by core/data/formats, read by the tokenizing code and by the dataset preview.

/** Where a row stands, for every message about it. `line` counts from 1; in CSV it is the record's first line, in
 *  Parquet the number of the row. */
export interface RowSource {
  file: string;
  line: number;
}

/** `file:line` */
export function describeSource({ file, line }: RowSource): string {
  return `${file}:${line}`;
}

/** A row as it stands in its file: columns or keys by name, with values that JSON has. */
export type Row = Record<string, unknown>;

export interface SourcedRow {
  row: Row;
  source: RowSource;
}

export interface ChatMessage {
  role: string;
  content: string;
  [extra: string]: unknown;
}

/** A row as its format understands it, before any tokenizer. */
export type Example =
  | {
      kind: 'chat';
      messages: ChatMessage[];
      tools?: unknown[];
      /** Assistant turns before this message are given, not learnt (default 0). */
      trainFrom?: number;
      /** The same as plain text, for a model without a chat template; formats that are chats by nature have none. */
      plain?: { prompt: string; completion: string };
    }
  | { kind: 'completion'; prompt: string; completion: string }
  | { kind: 'text'; text: string }
  | { kind: 'tokenized'; inputIds: number[]; labels?: number[] };

/** Label of a token on which no loss is taken (PyTorch's `ignore_index`). */
export const IGNORE_LABEL = -100;

/** Tokens from `from` up to `to` that a loss is taken on; by default of the whole row, whose first token nothing predicts. */
export function countLabels(labels: ArrayLike<number>, from = 1, to = labels.length): number {
  let count = 0;
  for (let i = from; i < Math.min(to, labels.length); i++) if (labels[i] !== IGNORE_LABEL) count++;
  return count;
}

/** Token ids of one example and, position by position, the same ids where loss is taken, else IGNORE_LABEL (not shifted). */
export interface EncodedExample {
  inputIds: Int32Array;
  labels: Int32Array;
}
