// Log-probabilities of a token and its alternatives, as the model gives them: before temperature, penalties and top_k. Pure.
import { tokenText } from '../../core/text/textStream.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { TokenLogprob } from '../../protocol/sessionMessages.js';
import { largest } from './largest.js';

export interface IdLogprob {
  id: number;
  /** Natural logarithm. */
  logprob: number;
}

export interface ChosenLogprob extends IdLogprob {
  /** The most likely tokens, most likely first; the chosen one may be among them. */
  top: IdLogprob[];
}

/** Log softmax of `logits` [vocab] for one token and the `count` most likely ones. */
export function chosenLogprob(logits: Float32Array, id: number, count: number): ChosenLogprob {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) most = Math.max(most, logits[i]!);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - most);
  const normalizer = most + Math.log(sum);
  const of = (token: number): IdLogprob => ({ id: token, logprob: logits[token]! - normalizer });
  return { ...of(id), top: largest(logits, count).map(of) };
}

/** The same with the texts of the tokens. */
export function tokenLogprob(tokenizer: TextTokenizer, logits: Float32Array, id: number, count: number): TokenLogprob {
  const named = (token: IdLogprob) => ({ ...token, text: tokenText(tokenizer, token.id) });
  const { top, logprob } = chosenLogprob(logits, id, count);
  return { ...named({ id, logprob }), top: top.map(named) };
}
