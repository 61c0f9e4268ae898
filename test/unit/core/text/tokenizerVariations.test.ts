// Every option of tokenizer.json that changes ids or texts, on hard texts (test/fixtures/tokenizers/make_variations.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { fixtureFiles } from './tokenizerFixtures.js';

interface Variation {
  base: string;
  name: string;
  /** Stages of tokenizer.json by key; keys of `model` are added to it, `added_tokens+` to its list. */
  changes: Record<string, unknown>;
  ids: number[][];
  ids_special?: number[][];
  /** null if it is the text. */
  decoded: (string | null)[];
  /** The ids with special tokens, decoded without them. */
  skipped: (string | null)[];
}

const { texts, variations } = JSON.parse(readFileSync('test/fixtures/tokenizers/variations.json', 'utf8')) as {
  texts: string[];
  variations: Variation[];
};

const orText = (stored: string | null, i: number) => stored ?? texts[i];

function variedTokenizer({ base, changes }: Variation) {
  const { tokenizer } = fixtureFiles(base);
  for (const [key, value] of Object.entries(changes)) {
    if (key === 'model') Object.assign(tokenizer.model as object, value);
    else if (key === 'added_tokens+') (tokenizer.added_tokens as unknown[]).push(...(value as unknown[]));
    else tokenizer[key] = value;
  }
  return createTokenizer({ tokenizer, config: {} });
}

describe.each(variations)('$base, $name', variation => {
  const tokenizer = variedTokenizer(variation);
  const { ids, ids_special: idsSpecial = ids, decoded, skipped } = variation;

  test('ids', () => {
    expect(texts.map(text => tokenizer.encode(text, { addSpecialTokens: false }))).toEqual(ids);
    expect(texts.map(text => tokenizer.encode(text))).toEqual(idsSpecial);
  });

  test('texts', () => {
    expect(ids.map(row => tokenizer.decode(row))).toEqual(decoded.map(orText));
    expect(idsSpecial.map(row => tokenizer.decode(row, { skipSpecialTokens: true }))).toEqual(skipped.map(orText));
  });
});
