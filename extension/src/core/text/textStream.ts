// The text of an answer token by token: whole characters only, and together equal to what the tokenizer decodes the whole answer to.
// Each token costs the decoding of a few, however long the answer. Called by generation/answerStream.ts.
import type { TextTokenizer } from './textTokenizer.js';

const REPLACEMENT = '\uFFFD';
/** Of SentencePiece's byte fallback: a run of them is decoded as a whole, since one bad byte changes all its characters. */
const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

export interface TextStreamOptions {
  /** Special tokens that are written; others are left out. */
  keptTokens?: ReadonlySet<string>;
  /** Tokens before the answer that it continues, so that its first word keeps the space before it. */
  context?: readonly number[];
}

/** As many tokens of the text before as decide how the first one is written. */
const CONTEXT_TOKENS = 8;

export class TextStream {
  /** The tokens that the next one is decoded with, from a place where a character begins. */
  private window: number[] = [];
  private decoded = '';
  /** Of `decoded`, what was returned. */
  private sent = 0;
  private readonly leftOut = new Map<number, boolean>();

  constructor(
    private readonly tokenizer: TextTokenizer,
    private readonly options: TextStreamOptions = {},
  ) {
    for (const id of options.context?.slice(-CONTEXT_TOKENS) ?? []) if (!this.isLeftOut(id)) this.window.push(id);
    this.decoded = tokenizer.decode(this.window);
    this.sent = this.decoded.length;
  }

  /** @returns the characters that are complete with this token; may be empty */
  push(id: number): string {
    if (this.isLeftOut(id)) return '';
    this.window.push(id);
    if (BYTE_TOKEN.test(this.tokenizer.idToToken(id) ?? '')) return '';
    const before = this.decoded;
    this.decoded = this.tokenizer.decode(this.window);
    // A replacement character may be the beginning of a character that the next token completes.
    const piece = this.take(this.decoded.length - (this.decoded.endsWith(REPLACEMENT) ? 1 : 0));
    if (this.decoded.length > before.length && this.decoded.startsWith(before)) this.shorten(id);
    return piece;
  }

  /** What is left at the end of the answer. */
  end(): string {
    this.decoded = this.tokenizer.decode(this.window);
    return this.take(this.decoded.length);
  }

  private take(to: number): string {
    const piece = this.decoded.slice(this.sent, to);
    this.sent = Math.max(this.sent, to);
    return piece;
  }

  /** Begins the window with the last token, if its text shows that it changes nothing before it. */
  private shorten(id: number): void {
    const alone = this.tokenizer.decode([id]);
    // What begins a text may lose its space; then more than that has to be left for the next one to be written as it is.
    if (alone === '' || !this.decoded.endsWith(alone)) return;
    const unsent = this.decoded.length - this.sent;
    this.window = [id];
    this.decoded = alone;
    this.sent = alone.length - unsent;
  }

  private isLeftOut(id: number): boolean {
    let leftOut = this.leftOut.get(id);
    if (leftOut === undefined) {
      const { tokenizer, options } = this;
      const isSpecial = tokenizer.decode([id], { skipSpecialTokens: true }) !== tokenizer.decode([id]);
      const isKept = options.keptTokens?.has(tokenizer.idToToken(id) ?? '') ?? false;
      // Ids without a token, of an output layer wider than the vocabulary, have no text.
      leftOut = (isSpecial && !isKept) || tokenizer.idToToken(id) === undefined;
      this.leftOut.set(id, leftOut);
    }
    return leftOut;
  }
}

/** The text of one token inside a text: with the space before it that the first one would lose. */
export function tokenText(tokenizer: TextTokenizer, id: number): string {
  return tokenizer.decode([id, id]).slice(tokenizer.decode([id]).length);
}
