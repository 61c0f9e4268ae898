// The tokens that end an answer in programs that read GGUF: three keys name them, and llama.cpp knows some by their text. Called by what
// writes the keys, and by the certificate. Fact from llama.cpp's `llama-vocab.cpp`.
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { GgufTypedValue } from '../files/ggufWriter.js';

/** Those that every version of the last years has. */
const KNOWN_BY_TEXT: ReadonlySet<string> = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|eom_id|>',
  '<EOT>',
]);

const KEYS = ['tokenizer.ggml.eos_token_id', 'tokenizer.ggml.eot_token_id', 'tokenizer.ggml.eom_token_id'] as const;

/** Whether llama.cpp ends an answer at this token, whatever the keys say. */
export function endsByText({ idToToken }: TextTokenizer, id: number): boolean {
  return KNOWN_BY_TEXT.has(idToToken(id) ?? '');
}

/**
 * The keys to add to those that a file has, for all tokens that end an answer; those that llama.cpp knows come last.
 * @param present the value of a key that the file has
 * @returns fewer than needed if all three keys are used
 */
export function endMetadata(
  ends: readonly number[],
  tokenizer: TextTokenizer,
  present: (key: string) => unknown,
): Map<string, GgufTypedValue> {
  const named = KEYS.map(present);
  const missing = ends.filter(id => !named.includes(id));
  const order = missing.toSorted((a, b) => Number(endsByText(tokenizer, a)) - Number(endsByText(tokenizer, b)));
  const free = KEYS.filter(key => present(key) === undefined);
  return new Map(free.flatMap((key, i) => (order[i] === undefined ? [] : [[key, uint32(order[i])] as const])));
}

function uint32(value: number): GgufTypedValue {
  return { type: 'uint32', value };
}
