import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { fixtureExpected, fixtureFiles, fixtureNames, fixtureTokenizer } from './tokenizerFixtures.js';

describe.each(fixtureNames)('%s gives the same as Python', name => {
  const tokenizer = fixtureTokenizer(name);
  const expected = fixtureExpected(name);

  test.each(expected.strings)('$text', ({ text, ids, ids_special, decoded, decoded_half, decoded_skip }) => {
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(ids);
    expect(tokenizer.encode(text)).toEqual(ids_special);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(ids.slice(0, ids.length >> 1))).toBe(decoded_half);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decoded_skip);
  });

  test('vocabulary size', () => expect(tokenizer.vocabSize).toBe(expected.vocab_size));
});

describe('createTokenizer', () => {
  test('special tokens are strings or objects with a content; unset ones are null', () => {
    const smollm = fixtureTokenizer('smollm');
    expect([smollm.bosTokenId, smollm.eosTokenId, smollm.padTokenId]).toEqual([1, 2, 2]);
    const qwen = fixtureTokenizer('qwen');
    expect(qwen.bosTokenId).toBeNull();
    expect(qwen.specialTokens).toEqual({ eos_token: '<|im_end|>', pad_token: '<|endoftext|>' });
  });

  test('a folder that relies on its tokenizer class, like GPT-2’s, gets the defaults of the class', () => {
    const gpt2 = createTokenizer({ ...fixtureFiles('gpt2'), config: { model_max_length: 1024 } });
    expect(gpt2.idToToken(gpt2.eosTokenId as number)).toBe('<|endoftext|>');
    expect(gpt2.bosTokenId).toBe(gpt2.eosTokenId);
    const llama = createTokenizer({ ...fixtureFiles('llama2-legacy'), config: {} });
    expect([llama.bosTokenId, llama.eosTokenId]).toEqual([1, 2]);
  });

  test('ids beyond the vocabulary decode to nothing', () => {
    const tokenizer = fixtureTokenizer('smollm');
    const ids = tokenizer.encode('apples');
    expect(tokenizer.decode([...ids, 9999])).toBe('apples');
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode(Int32Array.from(ids))).toBe('apples');
  });

  test('of several named templates the default one is used', () => {
    const files = fixtureFiles('smollm');
    const named = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    expect(createTokenizer({ ...files, config: { ...files.config, chat_template: named } }).chatTemplate).toBe('D');
    expect(fixtureTokenizer('gpt2').chatTemplate).toBeNull();
  });

  test('ByteLevel with add_prefix_space puts the space before the expression splits', () => {
    const files = fixtureFiles('gpt2');
    files.tokenizer.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: true, use_regex: true };
    const tokenizer = createTokenizer(files);
    const plain = fixtureTokenizer('gpt2');
    expect(tokenizer.encode('She\npaints')).toEqual(plain.encode(' She\npaints'));
    expect(tokenizer.encode(' She')).toEqual(plain.encode(' She'));
  });

  test('wrong files are errors that name the file', () => {
    expect(() => createTokenizer({ tokenizer: {}, config: {} })).toThrow(/"model"/);
    const files = fixtureFiles('smollm');
    const broken = [
      { pre_tokenizer: { type: 'UnicodeScripts' } },
      { pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Sideways' } },
      { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AA==' } },
      { model: { ...(files.tokenizer.model as object), dropout: 0.1 } },
      { model: { ...(files.tokenizer.model as object), continuing_subword_prefix: '##' } },
    ];
    for (const change of broken) {
      const [key] = Object.keys(change);
      expect(() => createTokenizer({ ...files, tokenizer: { ...files.tokenizer, ...change } })).toThrow(
        expect.objectContaining({
          name: 'InputError',
          details: expect.objectContaining({ file: 'tokenizer.json', key }),
        }),
      );
    }
  });
});
