// Keys and values of sequences that were read, so that a follow-up of a conversation reads only what is new. The longest
// common beginning counts, token by token. Owns the tensors; the least recently used ones go first.
import type * as tf from '@tensorflow/tfjs-core';

interface Entry {
  variant: string;
  /** Virtual tokens included. */
  tokens: readonly number[];
  /** [layers * 2, heads, prefix + tokens, headDim] */
  rows: tf.Tensor4D;
}

export interface Found {
  rows: tf.Tensor4D;
  /** Tokens in common. */
  tokens: number;
}

export class PrefixCache {
  /** Last used last. */
  private entries: Entry[] = [];

  constructor(private readonly limitBytes: number) {}

  get bytes(): number {
    return this.entries.reduce((sum, { rows }) => sum + 4 * rows.size, 0);
  }

  /** The entry with the longest beginning in common, without the last token, which must be read for a prediction. */
  find(variant: string, tokens: readonly number[]): Found | null {
    let best: Entry | null = null;
    let most = 0;
    for (const entry of this.entries) {
      if (entry.variant !== variant) continue;
      const common = Math.min(commonLength(entry.tokens, tokens), tokens.length - 1);
      if (common > most) [best, most] = [entry, common];
    }
    if (!best) return null;
    this.entries = [...this.entries.filter(entry => entry !== best), best];
    return { rows: best.rows, tokens: most };
  }

  /** @param rows owned from now on */
  keep(variant: string, tokens: readonly number[], rows: tf.Tensor4D): void {
    this.drop(entry => entry.variant === variant && commonLength(entry.tokens, tokens) === entry.tokens.length);
    this.entries.push({ variant, tokens, rows });
    while (this.entries.length > 0 && this.bytes > this.limitBytes) {
      const [oldest] = this.entries;
      this.drop(entry => entry === oldest);
    }
  }

  /** Forgets the sequences of some variants. */
  forget(isMeant: (variant: string) => boolean): void {
    this.drop(({ variant }) => isMeant(variant));
  }

  private drop(isMeant: (entry: Entry) => boolean): void {
    for (const entry of this.entries) if (isMeant(entry)) entry.rows.dispose();
    this.entries = this.entries.filter(({ rows }) => !rows.isDisposed);
  }

  dispose(): void {
    this.drop(() => true);
  }
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
