// The types of a dataset row on its way to a batch: Row -> Example -> EncodedExample.
// Made by core/data/formats, read by the tokenizing code and by the dataset preview.

/** Location of a row, for messages about it. `line` counts from 1; in CSV it is the record's first line, in Parquet the
 *  number of the row. */
export interface RowSource {
  file: string;
  line: number;
}

/** `file:line` */
export function describeSource({ file, line }: RowSource): string {
  return `${file}:${line}`;
}

/** A row as read from its file: JSON values by column or key. */
export type Row = Record<string, unknown>;

export interface SourcedRow {
  row: Row;
  source: RowSource;
}

export interface ChatMessage {
  role: string;
  /** Null for an assistant that only calls tools, if the row says so: some templates ask for it. */
  content: string | null;
  /** The row leaves this turn out of the loss. Not passed to templates. */
  noLoss?: true;
  [extra: string]: unknown;
}

/** A row as parsed by its format, before tokenization. */
export type Example =
  | SequenceExample
  /** Two answers to one prompt, each with it: the better one, and the other. */
  | { kind: 'preference'; chosen: AnsweredExample; rejected: AnsweredExample };

/** A prompt and its answer. */
export type AnsweredExample = Extract<SequenceExample, { kind: 'chat' | 'completion' }>;

/** An example that is one sequence of tokens. */
export type SequenceExample =
  | {
      kind: 'chat';
      messages: ChatMessage[];
      tools?: unknown[];
      /** Variables of the chat template that the row sets, such as `enable_thinking`. */
      templateVariables?: Record<string, unknown>;
      /** Assistant turns before this message are context, not trained on (default 0). */
      trainFrom?: number;
      /** The same as plain text, for a model without a chat template; formats that can only be chats have none. */
      plain?: { prompt: string; completion: string };
    }
  | { kind: 'completion'; prompt: string; completion: string }
  | { kind: 'text'; text: string }
  | { kind: 'tokenized'; inputIds: number[]; labels?: number[] };

/** Label of a token on which no loss is taken (PyTorch's `ignore_index`). */
export const IGNORE_LABEL = -100;

/** Number of label tokens from `from` up to `to`; by default of the whole row without its first token, which is never predicted. */
export function countLabels(labels: ArrayLike<number>, from = 1, to = labels.length): number {
  let count = 0;
  for (let i = from; i < Math.min(to, labels.length); i++) if (labels[i] !== IGNORE_LABEL) count++;
  return count;
}

/** Token ids of one example and their labels (not shifted): the same id where loss is taken, else IGNORE_LABEL. */
export interface EncodedExample {
  inputIds: Int32Array;
  labels: Int32Array;
}
