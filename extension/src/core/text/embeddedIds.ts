// Checks token ids against the model's embedding. A tokenizer may have more tokens than the model has rows, such as a
// padding token that was added and never trained; only a text that really has one of them is an error.
import { InputError } from '../inputError.js';
import type { TextTokenizer } from './textTokenizer.js';

/**
 * @param rows of the model's embedding
 * @throws InputError that names the first token beyond them; the caller adds where the text is
 */
export function checkEmbedded(ids: ArrayLike<number>, rows: number, tokenizer: TextTokenizer): void {
  const at = Array.prototype.findIndex.call(ids, (id: number) => id >= rows);
  if (at < 0) return;
  const token = JSON.stringify(tokenizer.idToToken(ids[at]!));
  throw new InputError(`the token ${token} has the id ${ids[at]}, but the model’s embedding only ${rows} rows`, {
    hint:
      'The token was added to the tokenizer, not to the model. Remove it from the text, or add its row in Transformers, ' +
      'with resize_token_embeddings, and save the model again.',
  });
}
