// Implements TextTokenizer with @huggingface/tokenizers, from tokenizer.json and tokenizer_config.json (of a model folder, or
// rebuilt from GGUF metadata). Never reads files. Differences from Python's tokenizers are fixed in tokenizerRepairs.ts.
import { Tokenizer } from '@huggingface/tokenizers';
import { InputError } from '../inputError.js';
import { namedTokens, withAddedTokens } from './addedTokens.js';
import { TokenizerLimits, type WithinTime } from './boundedTokenizer.js';
import { templatesOf } from './namedTemplates.js';
import type { TextTokenizer, TokenizerFiles } from './textTokenizer.js';
import { tokenContent } from './tokenizerFolder.js';
import { checkTokenizerShape, unusable } from './tokenizerShape.js';
import { repairTokenizer, repairTokenizerJson } from './tokenizerRepairs.js';

/**
 * Creates a tokenizer whose ids equal those of Python's `tokenizers` for the same files.
 * @param withinTime ends what a tokenizer of others may never end; without it, nothing does
 * @throws InputError if the files are not a tokenizer that can be used
 */
export function createTokenizer(files: TokenizerFiles, withinTime: WithinTime = (_, work) => work()): TextTokenizer {
  try {
    return create(files, withinTime);
  } catch (error) {
    // What the library, and the code here, reads of a file of another shape.
    if (error instanceof InputError) throw error;
    // What JavaScript says of it names nothing that is in the file.
    const isRaw = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
    const why = isRaw ? 'a value of it has another type than tokenizers read' : (error as Error).message;
    throw unusable(`cannot be used: ${why}`);
  }
}

function create(files: TokenizerFiles, withinTime: WithinTime): TextTokenizer {
  const complete = completed(files);
  const tokenizer = build(complete, files.config);
  const limits = new TokenizerLimits(complete, withinTime);
  const vocabulary = (tokenizer.model as NonNullable<Tokenizer['model']>).vocab;
  const specialTokens = readSpecialTokens(files.config, tokenizer);
  const idOf = (name: string): number | null =>
    name in specialTokens ? (tokenizer.token_to_id(specialTokens[name]) as number) : null;

  return {
    vocabSize: vocabulary.length,
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    padTokenId: idOf('pad_token'),
    specialTokens,
    ...templatesOf(files.config['chat_template']),
    templatePlace: files.templatePlace ?? null,
    encode(text, { addSpecialTokens = true } = {}) {
      return limits.call(text.length, () => tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids);
    },
    decode(ids, { skipSpecialTokens = false } = {}) {
      // A model's output layer may be wider than the tokenizer's vocabulary: such ids have no text, as in Python.
      const known = Array.from(ids).filter(id => vocabulary[id] !== undefined);
      if (known.length === 0) return '';
      // The clean-up removes spaces before punctuation and is meant for WordPiece; Transformers 5 ignores it for BPE too.
      return limits.call(known.length, () =>
        tokenizer.decode(known, { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false }),
      );
    },
    tokenToId: token => tokenizer.token_to_id(token),
    idToToken: id => tokenizer.id_to_token(id),
  };
}

/** tokenizer.json with all of its keys and the tokens of the config. */
function completed({ tokenizer, config }: TokenizerFiles): Record<string, unknown> {
  checkTokenizerShape(tokenizer);
  if (config.split_special_tokens === true)
    throw new InputError('"split_special_tokens" is not supported: special tokens in a text are always tokens', {
      file: 'tokenizer_config.json',
      key: 'split_special_tokens',
      hint: 'Remove the key, unless the model was trained without its special tokens.',
    });
  const stages = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  return { ...stages, ...withAddedTokens(tokenizer, config) };
}

function build(tokenizer: Record<string, unknown>, config: Record<string, unknown>): Tokenizer {
  const built = new Tokenizer(repairTokenizerJson(tokenizer), config);
  repairTokenizer(built, tokenizer);
  return built;
}

/** `bos_token`, `eos_token`, ... -> token, those that are set. */
function readSpecialTokens(config: Record<string, unknown>, tokenizer: Tokenizer): Record<string, string> {
  const tokens = namedTokens({ ...classDefaults(config, tokenizer), ...config });
  return Object.fromEntries([...tokens].map(([name, token]) => [name, tokenContent(token)!]));
}

/** Older model folders rely on the default special tokens of GPT2Tokenizer and LlamaTokenizer. */
function classDefaults(config: Record<string, unknown>, tokenizer: Tokenizer): Record<string, string> {
  const hasNone = ['PreTrainedTokenizerFast', 'TokenizersBackend'].includes(config.tokenizer_class as string);
  if (hasNone || config.eos_token !== undefined) return {};
  const has = (token: string) => tokenizer.token_to_id(token) !== undefined;
  if (has('<|endoftext|>')) return { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>' };
  if (has('<s>') && has('</s>')) return { bos_token: '<s>', eos_token: '</s>' };
  return {};
}
