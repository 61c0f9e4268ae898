// A tokenizer.json of another shape is refused by the key that is wrong, before the library reads it.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { checkTokenizerShape } from '../../../../extension/src/core/text/tokenizerShape.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const text = readFileSync('test/fixtures/tokenizers/gpt2/tokenizer.json', 'utf8');

/** The tokenizer of the fixture with another value at a key such as `model.merges`. */
function withValue(key: string, value: unknown): Record<string, unknown> {
  const tokenizer = JSON.parse(text);
  const path = key.split('.');
  let holder = tokenizer;
  for (const name of path.slice(0, -1)) holder = holder[name];
  holder[path.at(-1)!] = value;
  return tokenizer;
}

test('the tokenizer of the fixture is accepted, with either way to write merges', () => {
  expect(() => checkTokenizerShape(JSON.parse(text))).not.toThrow();
  expect(() => checkTokenizerShape(withValue('model.merges', [['a', 'b']]))).not.toThrow();
  expect(() => checkTokenizerShape(withValue('model.merges', ['a b']))).not.toThrow();
});

test.each<[string, unknown, RegExp]>([
  ['model', { type: 'BPE' }, /no "model" with a "vocab"/],
  ['model.type', 'Other', /the type "Other" is not supported/],
  ['model.vocab', 'a', /must be an object or a list/],
  ['model.vocab', { a: -1 }, /the id of "a" is -1/],
  ['model.vocab', [['a', 0.5], ['b', 1], 'c'], /model\.vocab\[2\]/],
  ['model.merges', undefined, /model\.merges: must be a list/],
  ['model.merges', { a: 'b' }, /model\.merges: must be a list/],
  ['model.merges', ['a b', null], /model\.merges\[1\]/],
  ['model.merges', ['a b', ['a', 'b']], /model\.merges\[1\]/],
  ['model.merges', [['a', 'b'], 'a b'], /model\.merges\[1\]/],
  ['model.merges', [['a', 'b'], ['a']], /model\.merges\[1\]/],
  ['model.merges', ['ab'], /model\.merges\[0\]/],
  ['added_tokens', {}, /added_tokens: must be a list/],
  ['added_tokens', [{ id: 1 }], /added_tokens\[0\]/],
  ['normalizer', 'NFC', /normalizer: must be an object/],
])('%s: %j', async (key, value, message) => {
  const error = await inputErrorOf(() => checkTokenizerShape(withValue(key, value)));
  expect(error.describe()).toMatch(message);
  expect(error.describe()).toContain('tokenizer.json');
});

test('what the library stumbles over is refused without the words of JavaScript', async () => {
  const tokenizer = withValue('pre_tokenizer', { type: 'Split', pattern: { String: 'a' }, behavior: 'Isolated' });
  Object.defineProperty(tokenizer, 'decoder', {
    enumerable: true,
    get: () => {
      throw new TypeError('x.split is not a function');
    },
  });
  const error = await inputErrorOf(() => createTokenizer({ tokenizer, config: {} } as never));
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toBe('cannot be used: a value of it has another type than tokenizers read');
});
