// How strongly each token of a text is coloured: by its probability, by its loss, or by how much more likely it is than in another
// column. Pure; used by the playground and the page of an evaluation.
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

/** The same colours for a token of a row, whose loss is its negative log-probability. */
export function byLoss(token: TokenLogprob): TokenShade {
  return {
    ...byProbability(token),
    text: `loss ${(-token.logprob).toFixed(2)}, probability ${probability(token.logprob)}`,
  };
}

/** @param there the same token, as likely as it is in another column */
export function byDifference({ logprob }: TokenLogprob, there: TokenLogprob): TokenShade {
  const difference = Math.exp(logprob) - Math.exp(there.logprob);
  return {
    strength: Math.min(1, Math.abs(difference)),
    side: difference >= 0 ? 'more' : 'less',
    text: `${probability(logprob)} here, ${probability(there.logprob)} there`,
  };
}

/** `97.3%`, `0.042%`, `<0.001%` */
export function probability(logprob: number): string {
  const percent = 100 * Math.exp(logprob);
  if (percent < 0.001) return '<0.001%';
  return `${percent >= 1 ? percent.toFixed(1) : percent.toPrecision(2)}%`;
}
