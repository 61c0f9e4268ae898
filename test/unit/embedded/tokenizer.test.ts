// The embedded model's tokenizer: the merges of the trainer, and the committed files read by Hugging Face's library. Expected ids
// are those of Python's tokenizers 0.23 with the committed tokenizer.json.
import { Tokenizer } from '@huggingface/tokenizers';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { specialTokens } from '../../../extension/scripts/embedded/chatTemplate.mjs';
import { countWords, findMerges, tokenizerJson } from '../../../extension/scripts/embedded/trainTokenizer.mjs';

const committed = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../media/models/tiny/${name}`, import.meta.url), 'utf8'));
const pythonIds: [string, number[]][] = JSON.parse(
  readFileSync(new URL('../../fixtures/embedded/tokenIds.json', import.meta.url), 'utf8'),
);

describe('the tokenizer trainer', () => {
  it('merges the most frequent pair first, and equally frequent ones in the order of their text', async () => {
    const counts = await countWords(['low low low lower', 'newest newest', 'xy']);
    expect(findMerges(counts, 4)).toEqual([
      ['l', 'o'],
      ['lo', 'w'],
      ['Ġ', 'low'],
      ['e', 's'],
    ]);
  });

  it('stops if no pair occurs twice', async () => {
    expect(findMerges(await countWords(['ab cd']), 10)).toEqual([]);
  });

  it('updates the counts of overlapping pairs in a word', async () => {
    expect(findMerges(await countWords(['aaaa', 'aaaa']), 2)).toEqual([
      ['a', 'a'],
      ['aa', 'aa'],
    ]);
  });

  it('excludes special tokens from the words', async () => {
    const counts = await countWords(['<|im_start|>user\nhi<|im_end|>']);
    expect([...counts.keys()]).toEqual(['user', '\n', 'hi']);
  });

  it('gives special tokens the first ids and includes all bytes', async () => {
    const { model, added_tokens } = tokenizerJson([]);
    expect(added_tokens.map((token: { content: string }) => token.content)).toEqual(specialTokens);
    expect(Object.keys(model.vocab)).toHaveLength(specialTokens.length + 256);
  });
});

describe('the committed tokenizer', () => {
  const tokenizer = new Tokenizer(committed('tokenizer.json'), committed('tokenizer_config.json'));

  it('has as many tokens as config.json says', () => {
    const ids = Object.values(committed('tokenizer.json').model.vocab);
    expect(ids).toHaveLength(committed('config.json').vocab_size);
    expect(Math.max(...(ids as number[]))).toBe(ids.length - 1);
  });

  it('gives the ids of Python’s tokenizers and decodes them to the text', () => {
    for (const [text, ids] of pythonIds) {
      expect(tokenizer.encode(text).ids, text).toEqual(ids);
      expect(tokenizer.decode(ids, { skip_special_tokens: false })).toBe(text);
    }
  });
});
