// Tokenizers rebuilt from GGUF metadata give the same ids as Python's: byte-level compared with `tokenizers` and the pre-tokenizers
// of the hub's tokenizer.json, SentencePiece compared with `sentencepiece` (fixtures/gguf/tokenizers.json).
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import type { GgufValue } from '../../../../extension/src/engine/files/ggufFormat.js';
import { GgufMetadata } from '../../../../extension/src/engine/files/ggufMetadata.js';
import { ggufTokenizer } from '../../../../extension/src/engine/files/ggufTokenizer.js';
import fixtures from '../../../fixtures/gguf/tokenizers.json' with { type: 'json' };

const { byteLevel, sentencePiece } = fixtures;

function build(values: Record<string, GgufValue>, architecture = 'llama') {
  const entries = Object.entries(values).map(([key, value]): [string, GgufValue] => [`tokenizer.${key}`, value]);
  return ggufTokenizer(architecture, new GgufMetadata(new Map(entries), 'm.gguf'));
}
const bytePairs = (pre: string): Record<string, GgufValue> => ({
  'ggml.model': 'gpt2',
  'ggml.pre': pre,
  'ggml.tokens': byteLevel.tokens,
  'ggml.token_type': byteLevel.token_type,
  'ggml.merges': byteLevel.merges,
});
const pieces: Record<string, GgufValue> = {
  'ggml.model': 'llama',
  'ggml.tokens': sentencePiece.tokens,
  'ggml.scores': sentencePiece.scores,
  'ggml.token_type': sentencePiece.token_type,
  'ggml.bos_token_id': 1,
  'ggml.eos_token_id': 2,
};
const encoder = (files: ReturnType<typeof build>) => new Tokenizer(files!.tokenizer, files!.config);

describe('byte-level BPE', () => {
  test.each(Object.entries(byteLevel.expected))('%s', (pre, expected) => {
    // The fixtures have no bos token, which is llama-bpe's default.
    const tokenizer = encoder(build({ ...bytePairs(pre), 'ggml.add_bos_token': false }));
    expect(byteLevel.cases.map(text => tokenizer.encode(text).ids)).toEqual(expected);
  });

  test('special tokens, chat template and bos', () => {
    const files = build({
      ...bytePairs('smollm'),
      'ggml.bos_token_id': 1,
      'ggml.eos_token_id': 2,
      'ggml.add_bos_token': true,
      chat_template: '{{ messages }}',
    })!;
    expect(files.config).toMatchObject({
      bos_token: '<|im_start|>',
      eos_token: '<|im_end|>',
      chat_template: '{{ messages }}',
    });
    const tokenizer = encoder(files);
    expect(tokenizer.encode('a').ids[0]).toBe(1);
    expect(tokenizer.decode(tokenizer.encode('the <|im_end|>').ids, { skip_special_tokens: true })).toBe('the ');
  });

  test.each([
    ['an unknown pre-tokenizer', { 'ggml.pre': 'novel' }, /pre-tokenizer novel is not supported/],
    ['an unknown type', { 'ggml.model': 'bert' }, /type bert/],
    ['no tokens', { 'ggml.tokens': [] }, /tokens are missing/],
    ['tokens that are numbers', { 'ggml.tokens': [1] }, /not a list of strings/],
    ['types that don’t fit', { 'ggml.token_type': [1] }, /1 types for/],
    ['a token twice', { 'ggml.tokens': ['a', 'a'], 'ggml.token_type': [1, 1] }, /duplicate token "a"/],
    ['a special id beyond', { 'ggml.eos_token_id': 1e6 }, /1000000 is not the id/],
    ['a merge of three', { 'ggml.merges': ['a b c'] }, /"a b c" is not a pair/],
  ])('%s', (_name, change, message) => {
    expect(() => build({ ...bytePairs('smollm'), ...change })).toThrow(message);
  });

  test('a file without tokenizer', () => expect(build({})).toBeNull());
});

describe('SentencePiece', () => {
  test('ids and texts', () => {
    const tokenizer = encoder(build(pieces));
    expect(sentencePiece.cases.map(text => tokenizer.encode(text).ids)).toEqual(sentencePiece.expected);
    const decoded = sentencePiece.expected.map(ids => (ids.length > 1 ? tokenizer.decode(ids.slice(1)) : ''));
    expect(decoded).toEqual(sentencePiece.decoded);
  });

  test('scores that don’t fit', () => {
    expect(() => build({ ...pieces, 'ggml.scores': [0] })).toThrow(/1 scores for 420 tokens/);
  });
});
