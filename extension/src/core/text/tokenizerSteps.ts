// The steps from a text to words, as Rust's tokenizers 0.23 takes them: added tokens, normalizers, pre-tokenizers. They replace those
// of @huggingface/tokenizers, as tokenizerRepairs.ts says, which is the only caller. A step that isn't known is an error.
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { InputError } from '../inputError.js';
import { SPLIT_PATTERNS } from './splitPatterns.js';

export type Json = Record<string, unknown>;

/** Rust's `char::is_whitespace` and `\s`; JavaScript's `\s` has U+FEFF in addition and lacks U+0085. */
const SPACE = '\\p{White_Space}';
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/gu;
const LEADING_SPACE = new RegExp(`^${SPACE}+`, 'u');
const TRAILING_SPACE = new RegExp(`${SPACE}+$`, 'u');
const BEGINS_WITH_WORD = new RegExp(`^${WORD}`, 'u');
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, 'u');

function unsupported(what: string, key: string): InputError {
  return new InputError(`${what} is not supported`, {
    file: 'tokenizer.json',
    key,
    hint: 'Use a tokenizer.json without it, or tokenize the rows in Python and use the format "tokenized".',
  });
}

/** A pattern of tokenizer.json, with the meaning of Rust's regex engines. */
function compile(pattern: unknown): RegExp {
  const step = new SplitPreTokenizer({ type: 'Split', pattern, behavior: 'Isolated', invert: false } as never);
  return (step as unknown as { pattern: RegExp }).pattern;
}

// Normalizers

export type Normalize = (text: string) => string;

/** The steps of a normalizer, in order. */
export function normalizerSteps(config: Json | null): Normalize[] {
  if (config === null) return [];
  switch (config.type) {
    case 'Sequence':
      return (config.normalizers as Json[]).flatMap(normalizerSteps);
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = config.type;
      return [text => text.normalize(form)];
    }
    case 'Lowercase':
      return [lowercase];
    case 'Strip':
      return [
        text => (config.strip_left ? text.replace(LEADING_SPACE, '') : text),
        text => (config.strip_right ? text.replace(TRAILING_SPACE, '') : text),
      ];
    case 'StripAccents':
      return [text => text.replace(/\p{M}/gu, '')];
    case 'Replace': {
      const pattern = compile(config.pattern);
      return [text => text.replace(pattern, () => config.content as string)];
    }
    case 'Prepend':
      return [text => (text === '' ? '' : (config.prepend as string) + text)];
    case 'BertNormalizer':
      return bertSteps(config);
    default:
      throw unsupported(`the normalizer "${String(config.type)}"`, 'normalizer');
  }
}

/** Character by character: no final sigma. */
function lowercase(text: string): string {
  return Array.from(text, char => char.toLowerCase()).join('');
}

function bertSteps({
  clean_text: clean,
  handle_chinese_chars: chinese,
  strip_accents: accents,
  lowercase: lower,
}: Json): Normalize[] {
  const steps: Normalize[] = [];
  if (clean) {
    steps.push(text =>
      text.replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/gu, '').replace(/\p{White_Space}/gu, ' '),
    );
  }
  if (chinese) steps.push(text => text.replace(CHINESE, ' $& '));
  if (accents ?? lower) steps.push(text => text.normalize('NFD').replace(/\p{Mn}/gu, ''));
  if (lower) steps.push(lowercase);
  return steps;
}

const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

// Pre-tokenizers

export interface PreTokenizerStep {
  /** The words of a piece, in order. One that is empty counts as removed. @param isFirst it begins where the whole text does */
  split(piece: string, isFirst: boolean): string[];
  /** Set if the step only writes bytes as characters, which the caller may do later, word by word. */
  isByteLevel?: boolean;
}

/** @param toBytes writes a text's bytes as characters, as ByteLevel does */
export function preTokenizerSteps(config: Json | null, toBytes: (text: string) => string): PreTokenizerStep[] {
  if (config === null) return [];
  switch (config.type) {
    case 'Sequence':
      return (config.pretokenizers as Json[]).flatMap(step => preTokenizerSteps(step, toBytes));
    case 'ByteLevel': {
      const prefix: PreTokenizerStep = {
        split: piece => [piece === '' || piece.startsWith(' ') ? piece : ` ${piece}`],
      };
      const words = splitting(compile({ Regex: SPLIT_PATTERNS.gpt2 }), 'isolated');
      return [
        ...(config.add_prefix_space ? [prefix] : []),
        ...(config.use_regex === false ? [] : [words]),
        { split: piece => [toBytes(piece)], isByteLevel: true },
      ];
    }
    case 'Metaspace':
      return metaspaceSteps(config);
    case 'Split':
      return [splitting(compile(config.pattern), String(config.behavior).toLowerCase(), config.invert === true)];
    case 'Digits':
      return [splitting(config.individual_digits ? /\p{N}|\P{N}+/gu : /\p{N}+|\P{N}+/gu, 'isolated')];
    case 'Punctuation':
      return [splitting(PUNCTUATION, String(config.behavior ?? 'isolated').toLowerCase())];
    case 'Whitespace':
      return [splitting(new RegExp(`${WORD}+|(?:(?!${WORD})\\P{White_Space})+`, 'gu'), 'removed', true)];
    case 'WhitespaceSplit':
      return [splitting(/\p{White_Space}/gu, 'removed')];
    case 'BertPreTokenizer':
      return [splitting(/\p{White_Space}/gu, 'removed'), splitting(PUNCTUATION, 'isolated')];
    case 'CharDelimiterSplit':
      return [splitting(compile({ String: config.delimiter }), 'removed')];
    case 'FixedLength': {
      const pieces = new RegExp(`[^]{1,${Number(config.length)}}`, 'gu');
      return [{ split: piece => piece.match(pieces) ?? [] }];
    }
    default:
      throw unsupported(`the pre-tokenizer "${String(config.type)}"`, 'pre_tokenizer');
  }
}

function metaspaceSteps(config: Json): PreTokenizerStep[] {
  const mark = (config.replacement as string | undefined) ?? '▁';
  const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
  const marked: PreTokenizerStep = {
    split(piece, isFirst) {
      const text = piece.replaceAll(' ', mark);
      const isPrefixed = scheme === 'always' || (scheme === 'first' && isFirst);
      return [isPrefixed && text !== '' && !text.startsWith(mark) ? mark + text : text];
    },
  };
  return config.split === false ? [marked] : [marked, splitting(compile({ String: mark }), 'mergedwithnext')];
}

type Range = { text: string; isMatch: boolean };

/** Rust's SplitDelimiterBehavior. */
function splitting(pattern: RegExp, behavior: string, invert = false): PreTokenizerStep {
  const behaviors = ['isolated', 'removed', 'contiguous', 'mergedwithprevious', 'mergedwithnext'];
  if (!behaviors.includes(behavior)) throw unsupported(`the behavior "${behavior}" of a split`, 'pre_tokenizer');
  return {
    split(piece) {
      if (behavior === 'isolated') {
        // The expressions of most models match all of a text, which needs no look at what is between the matches.
        const words: string[] = piece.match(pattern) ?? [];
        let length = 0;
        for (const word of words) length += word.length;
        if (length === piece.length) return words;
      }
      const ranges = rangesOf(piece, pattern, invert);
      switch (behavior) {
        case 'isolated':
          return ranges.map(range => range.text);
        case 'removed':
          return ranges.map(range => (range.isMatch ? '' : range.text));
        case 'contiguous':
          return merged(ranges, (range, last) => range.isMatch === last.isMatch);
        case 'mergedwithprevious':
          return merged(ranges, (range, last) => range.isMatch && !last.isMatch);
        default:
          return merged(ranges, (range, last) => last.isMatch && !range.isMatch);
      }
    },
  };
}

function rangesOf(text: string, pattern: RegExp, invert: boolean): Range[] {
  const ranges: Range[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) ranges.push({ text: text.slice(end, match.index), isMatch: invert });
    ranges.push({ text: match[0], isMatch: !invert });
    end = match.index + match[0].length;
  }
  if (end < text.length) ranges.push({ text: text.slice(end), isMatch: invert });
  return ranges;
}

function merged(ranges: Range[], belongsToLast: (range: Range, last: Range) => boolean): string[] {
  const words: string[] = [];
  ranges.forEach((range, i) => {
    if (i > 0 && belongsToLast(range, ranges[i - 1])) words[words.length - 1] += range.text;
    else words.push(range.text);
  });
  return words;
}

// Added tokens

export interface AddedToken {
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
}

export interface Section {
  text: string;
  /** Set if the section is one. */
  token: AddedToken | null;
  /** Whether it begins where the whole text does. */
  isFirst: boolean;
}

/**
 * Cuts a text at added tokens.
 * @param pieces the text, cut at every content of a token, the longest one first
 */
export function splitAtTokens(pieces: string[], tokens: ReadonlyMap<string, AddedToken>): Section[] {
  const text = pieces.join('');
  const sections: Section[] = [];
  let taken = 0;
  let position = 0;
  for (const piece of pieces) {
    const start = position;
    position += piece.length;
    const token = tokens.get(piece);
    if (!token || (token.single_word && isInsideWord(text, start, position))) continue;
    const before = text.slice(taken, start);
    const from = token.lstrip ? taken + before.replace(TRAILING_SPACE, '').length : start;
    if (from > taken) sections.push({ text: text.slice(taken, from), token: null, isFirst: taken === 0 });
    sections.push({ text: piece, token, isFirst: from === 0 });
    taken = token.rstrip ? position + (LEADING_SPACE.exec(text.slice(position))?.[0].length ?? 0) : position;
  }
  if (taken < text.length) sections.push({ text: text.slice(taken), token: null, isFirst: taken === 0 });
  return sections;
}

function isInsideWord(text: string, start: number, end: number): boolean {
  return ENDS_WITH_WORD.test(text.slice(0, start)) || BEGINS_WITH_WORD.test(text.slice(end));
}
