// Implements TextTokenizer with @huggingface/tokenizers, from tokenizer.json and tokenizer_config.json (of a model folder, or
// rebuilt from GGUF metadata). Never reads files. Differences from Python's tokenizers are fixed in tokenizerRepairs.ts.
import { Tokenizer } from '@huggingface/tokenizers';
import { InputError } from '../inputError.js';
import type { TextTokenizer, TokenizerFiles } from './textTokenizer.js';
import { repairTokenizer, repairTokenizerJson } from './tokenizerRepairs.js';

/**
 * Creates a tokenizer whose ids equal those of Python's `tokenizers` for the same files.
 * @throws InputError if the files are not a tokenizer, or name a special token that the vocabulary lacks
 */
export function createTokenizer(files: TokenizerFiles): TextTokenizer {
  const tokenizer = build(files);
  const vocabulary = (tokenizer.model as NonNullable<Tokenizer['model']>).vocab;
  const specialTokens = readSpecialTokens(files.config, tokenizer);
  const idOf = (name: string): number | null =>
    name in specialTokens ? (tokenizer.token_to_id(specialTokens[name]) as number) : null;
  const bosTokenId = idOf('bos_token');

  return {
    vocabSize: vocabulary.length,
    bosTokenId,
    eosTokenId: idOf('eos_token'),
    padTokenId: idOf('pad_token'),
    specialTokens,
    chatTemplate: readChatTemplate(files.config),
    encode(text, { addSpecialTokens = true } = {}) {
      return tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids;
    },
    decode(ids, { skipSpecialTokens = false } = {}) {
      // A model's output layer may be wider than the tokenizer's vocabulary: such ids have no text, as in Python.
      const known = Array.from(ids).filter(id => vocabulary[id] !== undefined);
      if (known.length === 0) return '';
      // The clean-up removes spaces before punctuation and is meant for WordPiece; Transformers 5 ignores it for BPE too.
      return tokenizer.decode(known, { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false });
    },
    tokenToId: token => tokenizer.token_to_id(token),
    idToToken: id => tokenizer.id_to_token(id),
  };
}

function build(files: TokenizerFiles): Tokenizer {
  const { tokenizer, config } = files;
  const model = tokenizer.model as { vocab?: unknown } | undefined;
  if (!model || typeof model !== 'object' || !model.vocab) {
    throw new InputError('has no "model" with a "vocab"', {
      file: 'tokenizer.json',
      hint: 'Use the tokenizer.json that was saved with the model.',
    });
  }
  const stages = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const repaired = repairTokenizerJson({ ...stages, ...tokenizer });
  try {
    const built = new Tokenizer(repaired, config);
    repairTokenizer(built, tokenizer);
    return built;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot be used: ${(error as Error).message}`, {
      file: 'tokenizer.json',
      hint: 'Use the tokenizer.json that was saved with the model.',
    });
  }
}

/** `bos_token`, `eos_token`, ... -> token, those that are set. */
function readSpecialTokens(config: Record<string, unknown>, tokenizer: Tokenizer): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...classDefaults(config, tokenizer), ...config })) {
    if (!name.endsWith('_token') || value === null) continue;
    const token = typeof value === 'object' ? (value as { content?: unknown }).content : value;
    if (typeof token !== 'string') continue; // add_bos_token and the like
    if (tokenizer.token_to_id(token) === undefined) {
      throw new InputError(`"${name}" is ${JSON.stringify(token)}, which is not in the vocabulary`, {
        file: 'tokenizer_config.json',
        hint: 'tokenizer.json and tokenizer_config.json must come from the same model.',
      });
    }
    tokens[name] = token;
  }
  return tokens;
}

/** Older model folders rely on the default special tokens of GPT2Tokenizer and LlamaTokenizer. */
function classDefaults(config: Record<string, unknown>, tokenizer: Tokenizer): Record<string, string> {
  if (config.eos_token !== undefined) return {};
  const has = (token: string) => tokenizer.token_to_id(token) !== undefined;
  if (has('<|endoftext|>')) return { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>' };
  if (has('<s>') && has('</s>')) return { bos_token: '<s>', eos_token: '</s>' };
  return {};
}

/** A string, or a list of named templates, of which "default" is used. */
function readChatTemplate(config: Record<string, unknown>): string | null {
  const template = config.chat_template;
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return null;
  const named = template as { name?: unknown; template?: unknown }[];
  const chosen = named.find(entry => entry.name === 'default')?.template;
  return typeof chosen === 'string' ? chosen : null;
}
