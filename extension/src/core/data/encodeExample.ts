// Encodes an example as token ids and labels. Called once per row by loadDataset, and by the dataset preview; pure.
// bos goes where the tokenizer's post-processor puts it, never twice; completions and texts end with one eos; chats end as
// their template says.
import { encodeChat } from '../text/encodeChat.js';
import type { TextTokenizer } from '../text/textTokenizer.js';
import { IGNORE_LABEL, type EncodedExample, type SequenceExample } from './example.js';
import { InputError } from '../inputError.js';
import { checkEmbedded } from '../text/embeddedIds.js';

export interface EncodeOptions {
  trainOn: 'completions' | 'all';
  /** Jinja source to use instead of the model's chat template. */
  chatTemplate?: string | null;
  /** Rows of the model's embedding, which ids must be within; the tokenizer's vocabulary if absent. */
  embeddingRows?: number;
}

export interface EncodedRow extends EncodedExample {
  /** Indices of assistant messages that could not be found in the rendered chat; no loss is taken on them. */
  unlocatedTurns: number[];
}

/** @throws InputError if the tokenizer or the chat template rejects the example; the caller adds file and line */
export function encodeExample(example: SequenceExample, tokenizer: TextTokenizer, options: EncodeOptions): EncodedRow {
  const row = encode(example, tokenizer, options);
  if (options.embeddingRows !== undefined) checkEmbedded(row.inputIds, options.embeddingRows, tokenizer);
  return row;
}

function encode(example: SequenceExample, tokenizer: TextTokenizer, options: EncodeOptions): EncodedRow {
  switch (example.kind) {
    case 'chat': {
      const template = options.chatTemplate;
      if ((template ?? tokenizer.chatTemplate) === null && example.plain)
        return encodeCompletion(example.plain, tokenizer, options);
      const { messages, tools, trainFrom, templateVariables: variables } = example;
      return encodeChat(tokenizer, messages, { tools, variables, trainFrom, template, trainOn: options.trainOn });
    }
    case 'completion':
      return encodeCompletion(example, tokenizer, options);
    case 'text':
      return allTrained(withEos(encodeOnce(example.text, tokenizer), tokenizer));
    case 'tokenized':
      return encodeTokenized(example, options.embeddingRows ?? tokenizer.vocabSize);
  }
}

/**
 * The ids are those of prompt and completion as one text. Labels begin where these ids differ from those of the prompt
 * alone, so a token that spans the boundary is trained on.
 */
function encodeCompletion(
  { prompt, completion }: { prompt: string; completion: string },
  tokenizer: TextTokenizer,
  { trainOn }: EncodeOptions,
): EncodedRow {
  const row = allTrained(withEos(encodeOnce(prompt + completion, tokenizer), tokenizer));
  if (trainOn === 'all') return row;
  const promptIds = encodeOnce(prompt, tokenizer);
  let context = 0;
  while (context < promptIds.length && promptIds[context] === row.inputIds[context]) context++;
  row.labels.fill(IGNORE_LABEL, 0, context);
  return row;
}

/** @param rows that ids must be within */
function encodeTokenized(
  { inputIds, labels = [] }: { inputIds: number[]; labels?: number[] },
  rows: number,
): EncodedRow {
  const check = (name: string, ids: readonly number[], ignored: number | null) => {
    const wrong = ids.findIndex(id => (id < 0 || id >= rows) && id !== ignored);
    if (wrong >= 0)
      throw new InputError(`${name}[${wrong}] is ${ids[wrong]}, but the vocabulary has ${rows} tokens`, {
        hint: 'Tokenize the rows with the tokenizer of this model.',
      });
  };
  check('input_ids', inputIds, null);
  check('labels', labels, IGNORE_LABEL);
  const row = allTrained(inputIds);
  row.labels.set(labels);
  return row;
}

/** Adds the special tokens of the post-processor, but no second bos if the text itself begins with one. */
function encodeOnce(text: string, tokenizer: TextTokenizer): number[] {
  const ids = tokenizer.encode(text);
  const bos = tokenizer.bosTokenId;
  if (bos === null || ids[0] !== bos || ids[1] !== bos) return ids;
  const plain = tokenizer.encode(text, { addSpecialTokens: false });
  return plain.length < ids.length ? ids.slice(1) : ids;
}

function withEos(ids: number[], { eosTokenId }: TextTokenizer): number[] {
  return eosTokenId === null || ids[ids.length - 1] === eosTokenId ? ids : [...ids, eosTokenId];
}

function allTrained(ids: number[]): EncodedRow {
  const inputIds = Int32Array.from(ids);
  return { inputIds, labels: inputIds.slice(), unlocatedTurns: [] };
}
