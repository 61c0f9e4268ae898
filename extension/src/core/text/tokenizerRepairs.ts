// Fixes for differences between @huggingface/tokenizers 0.2 and Python's tokenizers 0.23, all of them here and in tokenizerSteps.ts.
// Called by huggingFaceTokenizer.ts; test/fixtures/tokenizers has strings and options that show each difference.
// - Added tokens: `single_word` is ignored; those with `normalized` are searched in one pass with the others if there is no
//   normalizer; `lstrip` and `rstrip` use JavaScript's white space; ids are those of the file, in Rust those that follow.
// - Normalizers: Replace reads `$` in its content; Lowercase knows a final sigma; Strip uses JavaScript's white space; Precompiled
//   is only approximated (an error here); BertNormalizer misses Chinese characters above U+FFFF.
// - Pre-tokenizers: Split knows two of five behaviors, and with `invert` loses text; ByteLevel's expression uses JavaScript's \s;
//   Digits and Whitespace know ASCII only; Punctuation isn't isolated; Metaspace never splits, and `add_prefix_space: false` of old
//   files is ignored; FixedLength cuts surrogate pairs; CharDelimiterSplit is missing.
// - Models: unknown characters are fused across words; Unigram has no byte fallback; characters that a vocabulary without an
//   unknown token lacks (bytes, in SmolLM2's) are dropped after the merges, in Rust before, so that their neighbours merge.
// - Post-processors: the names of special tokens are looked up, in Rust their ids count.
// - Decoders: ByteFallback drops a byte order mark, and writes one U+FFFD for a broken run where Rust writes one per byte; ByteLevel
//   decodes between added tokens; Metaspace keeps marks of the first token; Replace reads `$`.
// - `remove_space` and `do_lowercase_and_remove_accent` of tokenizer_config.json, which Python ignores, change the text.
// - It is slow: each word is mapped to bytes and looked up in a cache that reorders itself on every hit. Here the tokens are
//   cached by the word itself, which is several times faster.
import { ByteLevelPreTokenizer, type Tokenizer } from '@huggingface/tokenizers';
import { InputError } from '../inputError.js';
import { checkGrowth } from './boundedTokenizer.js';
import { unusable } from './tokenizerShape.js';
import {
  normalizerSteps,
  preTokenizerSteps,
  splitAtTokens,
  type AddedToken,
  type Json,
  type Normalize,
  type PreTokenizerStep,
} from './tokenizerSteps.js';

/** Takes out what the library would do differently; `repairTokenizer` puts it back in. @throws InputError */
export function repairTokenizerJson(tokenizer: Json): Json {
  const model = tokenizer.model as Json;
  if (model.dropout) throw randomModel();
  if (model.continuing_subword_prefix && (model.type ?? 'BPE') === 'BPE') {
    throw new InputError('"continuing_subword_prefix" of a BPE model is not supported', {
      file: 'tokenizer.json',
      key: 'model',
      hint: 'Tokenize the rows in Python and use the format "tokenized".',
    });
  }
  const addedTokens = numbered((tokenizer.added_tokens ?? []) as ListedToken[], model.vocab as Json | unknown[]);
  const processor = byIds((tokenizer.post_processor ?? null) as Json | null, id => tokenOf(id, addedTokens, model));
  return { ...tokenizer, normalizer: null, pre_tokenizer: null, added_tokens: addedTokens, post_processor: processor };
}

interface ListedToken {
  id: number;
  content: string;
}

/** The ids that Rust gives added tokens, whatever the file says: that of the vocabulary, else the next one. The last of a name counts. */
function numbered(tokens: ListedToken[], vocab: Json | unknown[]): ListedToken[] {
  const ids = Array.isArray(vocab) ? new Map(vocab.map((entry, id) => [(entry as [string])[0], id])) : null;
  const size = Array.isArray(vocab) ? vocab.length : Object.keys(vocab).length;
  const idOf = (content: string) =>
    ids ? ids.get(content) : Object.hasOwn(vocab, content) ? (vocab as Json)[content] : undefined;
  let next = size;
  const byContent = new Map<string, ListedToken>();
  for (const token of tokens) {
    if (token.content === '') continue;
    const id = (byContent.get(token.content)?.id ?? idOf(token.content)) as number | undefined;
    byContent.set(token.content, { ...token, id: id ?? next });
    if (id === undefined) next++;
    else if (id >= next) next = id + 1;
  }
  return [...byContent.values()];
}

/** A post-processor that has the tokens of its ids, which count in Rust, as names, which the library looks up. */
function byIds(processor: Json | null, tokenById: (id: number) => string): Json | null {
  switch (processor?.type) {
    case 'Sequence':
      return { ...processor, processors: (processor.processors as Json[]).map(step => byIds(step, tokenById)) };
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const [sep, cls] = [processor.sep, processor.cls].map(pair => tokenById((pair as [string, number])[1]));
      return { ...processor, sep: [sep], cls: [cls] };
    }
    case 'TemplateProcessing': {
      const listed = processor.special_tokens as Record<string, { ids: number[] }>;
      const single = (processor.single as { SpecialToken?: { id: string } }[]).flatMap(piece => {
        const { SpecialToken: special } = piece;
        if (!special) return [piece];
        return listed[special.id].ids.map(id => ({ SpecialToken: { ...special, id: tokenById(id) } }));
      });
      return { ...processor, single };
    }
    default:
      return processor;
  }
}

function tokenOf(id: number, addedTokens: ListedToken[], { vocab }: Json): string {
  const ofVocabulary = () =>
    Array.isArray(vocab)
      ? (vocab[id] as [string] | undefined)?.[0]
      : Object.keys(vocab as Json).find(token => (vocab as Json)[token] === id);
  const token = addedTokens.find(added => added.id === id)?.content ?? ofVocabulary();
  if (token !== undefined) return token;
  throw unusable(`no token has the id ${id}`, 'post_processor');
}

function randomModel(): InputError {
  return new InputError('"dropout" of the model makes token ids random', {
    file: 'tokenizer.json',
    key: 'model',
    hint: 'Set it to null.',
  });
}

/** The library's tokenizer, as far as it is replaced. */
interface Library {
  normalizer: { normalize: Normalize } | null;
  model: LibraryModel;
  decoder: LibraryDecoder | null;
  added_tokens: (AddedToken & { normalized: boolean })[];
  splitter_unnormalized: { constructor: unknown };
  encode_text(text: string | null): string[] | null;
}

interface LibraryModel {
  (words: string[]): string[];
  tokens_to_ids: Map<string, number>;
  vocab: string[];
  unk_token?: string | null;
  byte_fallback?: boolean;
  end_of_word_suffix?: string | null;
  config: { type?: string; byte_fallback?: boolean };
}

/** Modifies `tokenizer`. @param json tokenizer.json as it was @throws InputError for a step that can't be made equal to Rust's */
export function repairTokenizer(tokenizer: Tokenizer, json: Json): void {
  const library = tokenizer as unknown as Library;
  const normalizers = normalizerSteps((json.normalizer ?? null) as Json | null);
  library.normalizer = {
    normalize: text =>
      normalizers.reduce((done, step) => {
        const made = step(done);
        checkGrowth(made.length, text.length, 'normalizer');
        return made;
      }, text),
  };
  const steps = preTokenizerSteps((json.pre_tokenizer ?? null) as Json | null, byteCharacters);
  const encodeWords = wordEncoder(library.model, steps);
  const split = [false, true].map(normalized => tokenSplitter(library, normalized));
  library.encode_text = text => {
    if (text === null) return null;
    return split[0](text).flatMap(section => {
      if (section.token) return [section.token.content];
      return split[1](library.normalizer!.normalize(section.text)).flatMap(({ text: part, token, isFirst }) =>
        token ? [token.content] : encodeWords(part, isFirst && section.isFirst),
      );
    });
  };
  repairDecoder(library.decoder);
}

const byteLevel = new ByteLevelPreTokenizer({ type: 'ByteLevel', use_regex: false } as never);

/** Each byte of the text as the character that stands for it in byte-level vocabularies. */
function byteCharacters(text: string): string {
  return (byteLevel as unknown as { pre_tokenize_text(text: string): string[] }).pre_tokenize_text(text)[0];
}

/** Cuts texts at the added tokens that are searched before (false) or after (true) normalization. */
function tokenSplitter(
  { added_tokens: all, splitter_unnormalized: splitter, normalizer }: Library,
  normalized: boolean,
) {
  const contentOf = (token: AddedToken) => (normalized ? normalizer!.normalize(token.content) : token.content);
  const tokens = new Map(
    all
      .filter(token => token.content !== '' && token.normalized === normalized)
      .map(token => [contentOf(token), token]),
  );
  const Splitter = splitter.constructor as new (contents: string[]) => { split(text: string): string[] };
  const library = new Splitter([...tokens.keys()]);
  return (text: string) => splitAtTokens(tokens.size === 0 ? [text] : library.split(text), tokens);
}

const MAX_KEPT_WORDS = 100_000;
const MAX_KEPT_LENGTH = 256;

/** The tokens of a piece of text. Those of each word are kept, so that only new words are mapped to bytes. */
function wordEncoder(model: LibraryModel, steps: PreTokenizerStep[]): (text: string, isFirst: boolean) => string[] {
  const bytesLast = steps.at(-1)?.isByteLevel ? steps.pop() : undefined;
  const dropsUnknown =
    model.config.type === 'BPE' && !model.unk_token && !model.byte_fallback && !model.end_of_word_suffix;
  const known = (word: string) =>
    dropsUnknown ? Array.from(word, char => (model.tokens_to_ids.has(char) ? char : '')).join('') : word;
  const kept = new Map<string, string[]>();
  const tokensOf = (word: string): string[] => {
    let tokens = kept.get(word);
    if (!tokens) {
      tokens = withByteFallback(model, model([known(bytesLast ? byteCharacters(word) : word)]));
      if (kept.size >= MAX_KEPT_WORDS) kept.clear();
      if (word.length <= MAX_KEPT_LENGTH) kept.set(word, tokens);
    }
    return tokens;
  };
  return (text, isFirst) => {
    const tokens: string[] = [];
    for (const word of runSteps(steps, text, isFirst)) for (const token of tokensOf(word)) tokens.push(token);
    return tokens;
  };
}

function runSteps(steps: PreTokenizerStep[], text: string, isFirst: boolean): string[] {
  let pieces = [text];
  for (const step of steps) {
    const next: string[] = [];
    // An empty piece is what a step removed; at the beginning it says that the next one doesn't begin the text.
    pieces.forEach((piece, i) => {
      const parts = piece === '' ? [''] : step.split(piece, isFirst && i === 0);
      for (const part of parts) if (part !== '' || next.length === 0) next.push(part);
    });
    pieces = next;
  }
  return pieces[0] === '' ? pieces.slice(1) : pieces;
}

function withByteFallback(model: LibraryModel, tokens: string[]): string[] {
  if (model.config.type !== 'Unigram' || !model.config.byte_fallback) return tokens;
  return tokens.flatMap(token => {
    if (model.tokens_to_ids.has(token)) return [token];
    const bytes = Array.from(utf8.encode(token), byte => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    return bytes.every(byte => model.tokens_to_ids.has(byte)) ? bytes : [token];
  });
}

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossyUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

interface LibraryDecoder {
  config: { type: string; replacement?: string; prepend_scheme?: string; add_prefix_space?: boolean; content?: string };
  decoders?: (LibraryDecoder | null)[];
  text_decoder?: { decode(bytes: Uint8Array): string };
  pattern?: RegExp | null;
  decode_chain(tokens: string[]): string[];
}

function repairDecoder(decoder: LibraryDecoder | null): void {
  if (!decoder) return;
  const { config, pattern } = decoder;
  if (config.type === 'ByteFallback') decoder.text_decoder = byteFallbackText;
  if (config.type === 'ByteLevel')
    decoder.decode_chain = tokens => [lossyUtf8.decode(Uint8Array.from(tokens.flatMap(bytesOf)))];
  if (config.type === 'Replace' && pattern) {
    decoder.decode_chain = tokens => {
      const before = lengthOf(tokens);
      let made = 0;
      return tokens.map(token => {
        const replaced = token.replace(pattern, () => config.content ?? '');
        made += replaced.length;
        checkGrowth(made, before, 'decoder');
        return replaced;
      });
    };
  }
  if (config.type === 'Sequence') {
    decoder.decode_chain = tokens =>
      (decoder.decoders ?? []).reduce((done, step) => {
        const made = step?.decode_chain(done) ?? done;
        checkGrowth(lengthOf(made), lengthOf(tokens), 'decoder');
        return made;
      }, tokens);
  }
  if (config.type === 'Metaspace') decoder.decode_chain = metaspaceText(config);
  decoder.decoders?.forEach(repairDecoder);
}

function lengthOf(tokens: string[]): number {
  return tokens.reduce((sum, token) => sum + token.length, 0);
}

function metaspaceText({
  replacement = '▁',
  prepend_scheme: scheme,
  add_prefix_space: prefix,
}: LibraryDecoder['config']) {
  const isPrefixed = (scheme ?? (prefix === false ? 'never' : 'always')) !== 'never';
  return (tokens: string[]) =>
    tokens.map((token, i) => token.replaceAll(replacement, i === 0 && isPrefixed ? '' : ' '));
}

const BYTE_OF_CHARACTER = new Map(
  Array.from({ length: 256 }, (_, byte) => {
    const isShown = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return [isShown, byte] as const;
  })
    .toSorted(([a], [b]) => Number(b) - Number(a))
    .map(([isShown, byte], i) => [String.fromCharCode(isShown ? byte : 256 + i - 188), byte]),
);

/** The bytes that a token's characters stand for; of a token with other characters, which was added, those of its text. */
function bytesOf(token: string): number[] {
  const bytes: number[] = [];
  for (const char of token) {
    const byte = BYTE_OF_CHARACTER.get(char);
    if (byte === undefined) return [...utf8.encode(token)];
    bytes.push(byte);
  }
  return bytes;
}

const byteFallbackText = {
  decode(bytes: Uint8Array): string {
    try {
      return strictUtf8.decode(bytes);
    } catch {
      return '\ufffd'.repeat(bytes.length);
    }
  },
};
