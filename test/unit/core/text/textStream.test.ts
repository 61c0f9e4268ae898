// Streamed text: whole characters, together equal to the decoding of the whole, for every stored tokenizer and the embedded one.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { TextStream, tokenText } from '../../../../extension/src/core/text/textStream.js';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { fixtureExpected, fixtureNames, fixtureTokenizer } from './tokenizerFixtures.js';

const tiny = (file: string) => new URL(`../../../../media/models/tiny/${file}`, import.meta.url);
const json = (url: URL) => JSON.parse(readFileSync(url, 'utf8')) as Record<string, unknown>;
const embedded = createTokenizer({
  tokenizer: json(tiny('tokenizer.json')),
  config: json(tiny('tokenizer_config.json')),
});
const tokenizers: [string, TextTokenizer][] = [
  ...fixtureNames.map(name => [name, fixtureTokenizer(name)] as [string, TextTokenizer]),
  ['embedded', embedded],
];
const EMOJI = '👩‍👩‍👧‍👦 naïve 🏳️‍🌈 你好，世界 e\u0301 \uFFFD\uFFFD done 🇩🇪';

/** Pieces, of which the last is what the end adds. */
function streamed(tokenizer: TextTokenizer, ids: number[]): string[] {
  const stream = new TextStream(tokenizer);
  return [...ids.map(id => stream.push(id)), stream.end()];
}

describe.each(tokenizers)('%s', (name, tokenizer) => {
  const whole = (ids: number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
  const texts = [EMOJI, ...(name === 'embedded' ? [] : fixtureExpected(name).strings.map(({ text }) => text))];

  test('pieces are whole characters and make up the text', () => {
    for (const text of texts) {
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      const pieces = streamed(tokenizer, ids);
      expect(pieces.join(''), JSON.stringify(text)).toBe(whole(ids));
      // Without a real replacement character there is none in any piece, and no half of a surrogate pair.
      if (!whole(ids).includes('\uFFFD'))
        for (const piece of pieces.slice(0, -1)) expect(piece).not.toMatch(/[\uD800-\uDFFF\uFFFD]/u);
    }
  });

  test('any tokens at all, broken characters too, make up what the tokenizer decodes', () => {
    const rng = createRng(name);
    for (let round = 0; round < 300; round++) {
      const ids = Array.from({ length: 1 + rng.int(40) }, () => rng.int(tokenizer.vocabSize + 2));
      expect(streamed(tokenizer, ids).join(''), ids.join()).toBe(whole(ids));
    }
  });

  test('bytes of characters in a row', () => {
    const rng = createRng(`${name} bytes`);
    const bytes = tokenizer.encode('😀é你', { addSpecialTokens: false });
    for (let round = 0; round < 300; round++) {
      const ids = Array.from({ length: 1 + rng.int(30) }, () => bytes[rng.int(bytes.length)]!);
      expect(streamed(tokenizer, ids).join(''), ids.join()).toBe(whole(ids));
    }
  });

  test('decodes a few tokens at a time, however long the answer', () => {
    let decoded = 0;
    const counting: TextTokenizer = {
      ...tokenizer,
      decode: (ids, options) => {
        decoded = Math.max(decoded, ids.length);
        return tokenizer.decode(ids, options);
      },
    };
    const words = tokenizer.encode(' The old engine repairs the red bicycle.\n', { addSpecialTokens: false });
    streamed(counting, Array.from({ length: 50 }, () => words).flat());
    expect(decoded).toBeLessThan(12);
  });

  test('a continued text keeps its spaces', () => {
    const ids = tokenizer.encode('The old engine repairs the bicycle', { addSpecialTokens: false });
    for (let at = 1; at < ids.length; at++) {
      const stream = new TextStream(tokenizer, { context: ids.slice(0, at) });
      const text = ids.slice(at).map(id => stream.push(id));
      expect(whole(ids.slice(0, at)) + text.join('') + stream.end()).toBe(whole(ids));
    }
  });
});

test('characters arrive with their last token', () => {
  const smollm = fixtureTokenizer('smollm');
  const ids = smollm.encode('a😀b', { addSpecialTokens: false });
  const pieces = streamed(smollm, ids).filter(piece => piece !== '');
  expect(pieces).toEqual(['a', '😀', 'b']);
});

test('special tokens are left out unless they are kept', () => {
  const qwen = fixtureTokenizer('qwen');
  const ids = qwen.encode('<|im_start|>a<think>b<|im_end|>', { addSpecialTokens: false });
  expect(streamed(qwen, ids).join('')).toBe('a<think>b');
  const stream = new TextStream(qwen, { keptTokens: new Set(['<|im_end|>']) });
  expect([...ids.map(id => stream.push(id)), stream.end()].join('')).toBe('a<think>b<|im_end|>');
});

test('the text of a token has its space', () => {
  for (const name of ['llama2-legacy', 'smollm']) {
    const tokenizer = fixtureTokenizer(name);
    const ids = tokenizer.encode('The old engine', { addSpecialTokens: false });
    expect(
      ids
        .map(id => tokenText(tokenizer, id))
        .join('')
        .trim(),
    ).toBe('The old engine');
  }
});
