// Where @huggingface/tokenizers 0.2 differs from Python's tokenizers 0.23, put right: this is the only place that knows.
// Called by huggingFaceTokenizer.ts; test/fixtures/tokenizers holds strings on which each of these differences shows.
// - ByteLevel's built-in expression uses JavaScript's \s, which takes U+FEFF for a space and U+0085 for none.
// - Digits uses \d, which knows ASCII digits only; Rust's is_numeric is \p{N}.
// - Metaspace never splits, so that whole texts are merged at once; `add_prefix_space: false` of old files is not read.
// - The ByteFallback decoder swallows a byte order mark, and writes one U+FFFD for a broken run where Rust writes one a byte.
// - The BPE cache re-orders itself on each hit, which is a quarter of the whole time.
import type { Tokenizer } from '@huggingface/tokenizers';
import { InputError } from '../inputError.js';

type Json = Record<string, unknown>;

/** GPT-2's expression with Unicode's White_Space, as Rust's regex engines read `\s` (the library translates it). */
const GPT2_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** tokenizer.json with pre-tokenizers that the library gets wrong replaced by equal ones that it gets right. */
export function repairTokenizerJson(tokenizer: Json): Json {
  return { ...tokenizer, pre_tokenizer: repairPreTokenizer((tokenizer.pre_tokenizer ?? null) as Json | null) };
}

/** Repairs that no rewriting of tokenizer.json can make. Changes `tokenizer`. */
export function repairTokenizer(tokenizer: Tokenizer): void {
  repairDecoder(tokenizer.decoder as unknown as LibraryDecoder | null);
  const model = tokenizer.model as unknown as { cache?: unknown };
  if (model.cache) model.cache = new WordCache();
}

function repairPreTokenizer(config: Json | null): Json | null {
  switch (config?.type) {
    case 'Sequence':
      return { ...config, pretokenizers: (config.pretokenizers as Json[]).map(repairPreTokenizer) };
    case 'ByteLevel': {
      if (config.use_regex === false) return config;
      const steps = [split(GPT2_SPLIT), { ...config, use_regex: false, add_prefix_space: false }];
      const prefix = { type: 'Replace', pattern: { Regex: '\\A(?! )' }, content: ' ' };
      return { type: 'Sequence', pretokenizers: config.add_prefix_space ? [prefix, ...steps] : steps };
    }
    case 'Digits':
      return split(config.individual_digits ? '\\p{N}' : '\\p{N}+');
    case 'Metaspace': {
      const mark = (config.replacement as string | undefined) ?? '▁';
      const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
      const metaspace = { ...config, prepend_scheme: scheme };
      if (config.split === false) return metaspace;
      return { type: 'Sequence', pretokenizers: [metaspace, split(`${mark}[^${mark}]*|[^${mark}]+`)] };
    }
    case 'Split': {
      const behavior = String(config.behavior).toLowerCase();
      // Isolated pieces are the same either way round; inverted, the library would lose what does not match.
      if (behavior === 'isolated') return { ...config, invert: false };
      if (behavior === 'removed') return config;
      throw new InputError(`the pre-tokenizer "Split" with behavior "${String(config.behavior)}" is not supported`, {
        where: 'tokenizer.json: pre_tokenizer',
        hint: 'Supported are "Isolated" and "Removed".',
      });
    }
    default:
      return config;
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

/** Tokens of the words seen so far, forgotten all at once when there are too many. */
class WordCache {
  private readonly words = new Map<string, string[]>();

  get(word: string): string[] | undefined {
    return this.words.get(word);
  }

  put(word: string, tokens: string[]): void {
    if (this.words.size >= 100_000) this.words.clear();
    this.words.set(word, tokens);
  }

  clear(): void {
    this.words.clear();
  }
}
