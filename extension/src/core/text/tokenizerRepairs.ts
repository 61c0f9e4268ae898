// Fixes for differences between @huggingface/tokenizers 0.2 and Python's tokenizers 0.23, all of them in this file. Called by
// huggingFaceTokenizer.ts; test/fixtures/tokenizers has strings that show each difference.
// - ByteLevel's built-in expression uses JavaScript's \s, which includes U+FEFF but not U+0085.
// - Digits uses \d, which matches ASCII digits only; Rust's is_numeric is \p{N}.
// - Metaspace never splits, so that whole texts are merged at once; `add_prefix_space: false` of old files is ignored.
// - The ByteFallback decoder drops a byte order mark, and writes one U+FFFD for a broken run where Rust writes one per byte.
// - Characters that a vocabulary without an unknown token lacks (bytes, in SmolLM2's) are dropped after the merges; Rust
//   drops them before, so that their neighbours merge.
// - It is slow: each word is mapped to bytes and looked up in a cache that reorders itself on every hit. Here the tokens are
//   cached by the word itself, which is several times faster.
import type { Tokenizer } from '@huggingface/tokenizers';
import { InputError } from '../inputError.js';

type Json = Record<string, unknown>;

/** GPT-2's expression; the library translates `\s` to Unicode's White_Space, as in Rust's regex engines. */
const GPT2_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Replaces pre-tokenizers that the library gets wrong by equivalent ones. */
export function repairTokenizerJson(tokenizer: Json): Json {
  const steps = preTokenizerSteps((tokenizer.pre_tokenizer ?? null) as Json | null);
  return { ...tokenizer, pre_tokenizer: steps.length > 0 ? { type: 'Sequence', pretokenizers: steps } : null };
}

/** Repairs that can't be made in tokenizer.json. Modifies `tokenizer`. */
export function repairTokenizer(tokenizer: Tokenizer): void {
  repairDecoder(tokenizer.decoder as unknown as LibraryDecoder | null);
  speedUp(tokenizer as unknown as { pre_tokenizer: LibraryPreTokenizer | null; model: LibraryModel });
}

function preTokenizerSteps(config: Json | null): Json[] {
  if (config === null) return [];
  switch (config.type) {
    case 'Sequence':
      return (config.pretokenizers as Json[]).flatMap(preTokenizerSteps);
    case 'ByteLevel': {
      if (config.use_regex === false) return [config];
      const steps = [split(GPT2_SPLIT), { ...config, use_regex: false, add_prefix_space: false }];
      const prefix = { type: 'Replace', pattern: { Regex: '\\A(?! )' }, content: ' ' };
      return config.add_prefix_space ? [prefix, ...steps] : steps;
    }
    case 'Digits':
      return [split(config.individual_digits ? '\\p{N}|\\P{N}+' : '\\p{N}+|\\P{N}+')];
    case 'Metaspace': {
      const mark = (config.replacement as string | undefined) ?? '▁';
      const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
      const metaspace = { ...config, prepend_scheme: scheme };
      return config.split === false ? [metaspace] : [metaspace, split(`${mark}[^${mark}]*|[^${mark}]+`)];
    }
    case 'Split': {
      const behavior = String(config.behavior).toLowerCase();
      // `invert` makes no difference to isolated pieces, but with it the library would lose what does not match.
      if (behavior === 'isolated') return [{ ...config, invert: false }];
      if (behavior === 'removed') return [config];
      throw new InputError(`the pre-tokenizer "Split" with behavior "${String(config.behavior)}" is not supported`, {
        file: 'tokenizer.json',
        key: 'pre_tokenizer',
        hint: 'Supported are "Isolated" and "Removed".',
      });
    }
    default:
      return [config];
  }
}

function split(regex: string): Json {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

interface LibraryDecoder {
  config: { type: string };
  decoders?: (LibraryDecoder | null)[];
  text_decoder?: { decode(bytes: Uint8Array): string };
}

function repairDecoder(decoder: LibraryDecoder | null): void {
  if (decoder?.config.type === 'ByteFallback') decoder.text_decoder = byteFallbackText;
  decoder?.decoders?.forEach(repairDecoder);
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const byteFallbackText = {
  decode(bytes: Uint8Array): string {
    try {
      return strictUtf8.decode(bytes);
    } catch {
      return '\ufffd'.repeat(bytes.length);
    }
  },
};

interface LibraryPreTokenizer {
  config?: { type: string; use_regex?: boolean; behavior?: string };
  /** Steps of a Sequence. */
  tokenizers?: LibraryPreTokenizer[];
  /** Expression of a Split. */
  pattern?: RegExp | null;
  pre_tokenize(text: string, options?: unknown): string[];
  pre_tokenize_text(text: string, options?: unknown): string[];
}

interface LibraryModel {
  tokens_to_ids: Map<string, number>;
  unk_token?: string | null;
  byte_fallback?: boolean;
  end_of_word_suffix?: string | null;
  encode(words: string[]): string[];
}

const MAX_KEPT_WORDS = 100_000;
const MAX_KEPT_LENGTH = 256;

/** Caches the tokens of each word, so that only new words are mapped to bytes. */
function speedUp({
  pre_tokenizer: preTokenizer,
  model,
}: {
  pre_tokenizer: LibraryPreTokenizer | null;
  model: LibraryModel;
}) {
  const steps = preTokenizer?.tokenizers ?? [];
  steps.forEach(speedUpSplit);
  if (preTokenizer) preTokenizer.pre_tokenize = (text, options) => runSteps(steps, text, options);
  const last = steps[steps.length - 1]?.config;
  const byteLevel = last?.type === 'ByteLevel' && last.use_regex === false ? steps.pop() : undefined;
  const encode = model.encode.bind(model);
  const dropsUnknown = !model.unk_token && !model.byte_fallback && !model.end_of_word_suffix;
  const withoutUnknown = (word: string) =>
    dropsUnknown ? Array.from(word, char => (model.tokens_to_ids.has(char) ? char : '')).join('') : word;
  const kept = new Map<string, string[]>();
  model.encode = words => {
    const tokens: string[] = [];
    for (const word of words) {
      let ofWord = kept.get(word);
      if (!ofWord) {
        ofWord = encode((byteLevel ? byteLevel.pre_tokenize_text(word) : [word]).map(withoutUnknown));
        if (kept.size >= MAX_KEPT_WORDS) kept.clear();
        if (word.length <= MAX_KEPT_LENGTH) kept.set(word, ofWord);
      }
      for (const token of ofWord) tokens.push(token);
    }
    return tokens;
  };
}

function runSteps(steps: LibraryPreTokenizer[], text: string, options: unknown): string[] {
  let pieces = [text];
  for (const step of steps) {
    const next: string[] = [];
    for (const piece of pieces) for (const part of step.pre_tokenize_text(piece, options)) next.push(part);
    pieces = next;
  }
  return pieces;
}

/** If the matches cover the whole text, as with the expressions of all known models, the library's slower split isn't needed. */
function speedUpSplit(step: LibraryPreTokenizer): void {
  const { pattern } = step;
  if (step.config?.behavior?.toLowerCase() !== 'isolated' || !pattern) return;
  const split = step.pre_tokenize_text.bind(step);
  step.pre_tokenize_text = text => {
    const pieces: string[] = text.match(pattern) ?? [];
    let length = 0;
    for (const piece of pieces) length += piece.length;
    return length === text.length && !pieces.includes('') ? pieces : split(text);
  };
}
