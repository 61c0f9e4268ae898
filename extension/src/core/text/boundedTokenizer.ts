// Limits of a tokenizer, whose files come from others: a regular expression may never end on some text, and a normalizer may make
// it a thousand times as long. Called by huggingFaceTokenizer.ts, which gets `withinTime` from the program that it runs in.
import { InputError } from '../inputError.js';
import { SPLIT_PATTERNS } from './splitPatterns.js';
import { unusable } from './tokenizerShape.js';

/** Runs work that may never end. @throws TimeLimitError (system/boundedWork.ts) if it takes longer than `limitMs` */
export type WithinTime = <T>(limitMs: number, work: () => T) => T;

/** For texts of any length; and for each character more, which is a fiftieth of the usual speed. */
const BASE_MS = 5000;
const MS_PER_CHARACTER = 0.05;
/** Watching takes 0.05 ms, which is only worth it for a text that takes longer. */
const WATCHED_LENGTH = 1 << 16;
/** After this many texts, a tokenizer that doesn't end isn't tried again. */
const MAX_EXCEEDED = 3;
const MAX_GROWTH = 16;

/** A longer added token is searched at each place of a text for as long as it agrees with it. */
const USUAL_TOKEN_LENGTH = 256;

const KNOWN_PATTERNS = new Set<string>(Object.values(SPLIT_PATTERNS));

/** Through which a tokenizer's `encode` and `decode` are called. */
export class TokenizerLimits {
  private readonly endsAlways: boolean;
  private exceeded = 0;

  /** @param tokenizer content of tokenizer.json */
  constructor(
    { normalizer, pre_tokenizer: preTokenizer, decoder, added_tokens: added }: Record<string, unknown>,
    private readonly withinTime: WithinTime,
  ) {
    this.endsAlways = !hasUnknownPattern([normalizer, preTokenizer, decoder]) && !hasLongToken(added);
  }

  /** @param length characters or ids @throws InputError for whatever goes wrong in `work` */
  call<T>(length: number, work: () => T): T {
    try {
      if (this.endsAlways && length < WATCHED_LENGTH) return work();
      if (this.exceeded === MAX_EXCEEDED) throw new Error(`it took too long for ${MAX_EXCEEDED} texts`);
      return this.withinTime(BASE_MS + MS_PER_CHARACTER * length, work);
    } catch (error) {
      if (error instanceof InputError) throw error;
      if ((error as Error).name === 'TimeLimitError') this.exceeded++;
      throw unusable(`the tokenizer fails on a text of length ${length}: ${(error as Error).message}`);
    }
  }
}

/**
 * Called after each step of a normalizer or decoder.
 * @param made characters so far @param before characters before the first step
 * @throws InputError if the text has become far longer
 */
export function checkGrowth(made: number, before: number, key: 'normalizer' | 'decoder'): void {
  if (made <= MAX_GROWTH * (before + 1024)) return;
  throw unusable(`the ${key} makes ${made} characters of ${before}`, key);
}

function hasUnknownPattern(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, part]) =>
    key === 'Regex' ? !KNOWN_PATTERNS.has(part as string) : hasUnknownPattern(part),
  );
}

function hasLongToken(added: unknown): boolean {
  return ((added ?? []) as { content: string }[]).some(({ content }) => content.length > USUAL_TOKEN_LENGTH);
}
