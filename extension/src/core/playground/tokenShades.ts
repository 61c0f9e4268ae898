// How strongly each token of an answer is coloured: by its probability, or by how much more likely it is than in another column.
// Pure; used by the playground.
import type { TokenLogprob } from '../../protocol/sessionMessages.js';

export interface TokenShade {
  /** 0: no colour, 1: full. */
  strength: number;
  /** Which of two theme colours. */
  side: 'unlikely' | 'more' | 'less';
  /** For the hover. */
  text: string;
}

/** Below this probability a token has the full colour. */
const STRONGEST = 1e-3;

/** The less likely a token was, the stronger: none at 1, half at about 3 %, full at 0.1 % and below. */
export function byProbability({ logprob }: TokenLogprob): TokenShade {
  const strength = Math.min(1, Math.max(0, logprob / Math.log(STRONGEST)));
  return { strength, side: 'unlikely', text: probability(logprob) };
}

/**
 * Compares an answer with that of another column, as far as both have read the same tokens: up to the first that differs, and
 * including it. Later tokens follow other texts, so their probabilities say nothing about the two models; null for these.
 */
export function byDifference(own: readonly TokenLogprob[], other: readonly TokenLogprob[]): (TokenShade | null)[] {
  let together = true;
  return own.map((token, index) => {
    const there = other[index];
    if (!together || !there) return null;
    together = there.id === token.id;
    const known = together ? there.logprob : there.top.find(({ id }) => id === token.id)?.logprob;
    // Not among the alternatives: at most as likely as the last of them.
    const least = Math.min(...there.top.map(({ logprob }) => logprob), there.logprob);
    const difference = Math.exp(token.logprob) - Math.exp(known ?? least);
    return {
      strength: Math.min(1, Math.abs(difference)),
      side: difference >= 0 ? 'more' : 'less',
      text: `${probability(token.logprob)} here, ${known === undefined ? `below ${probability(least)}` : probability(known)} there`,
    };
  });
}

/** `97.3%`, `0.042%`, `<0.001%` */
export function probability(logprob: number): string {
  const percent = 100 * Math.exp(logprob);
  if (percent < 0.001) return '<0.001%';
  return `${percent >= 1 ? percent.toFixed(1) : percent.toPrecision(2)}%`;
}
