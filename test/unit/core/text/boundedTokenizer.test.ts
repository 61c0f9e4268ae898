// Tokenizers of others: those that never end on a text, that make it far longer, and files of another shape.
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import type { WithinTime } from '../../../../extension/src/core/text/boundedTokenizer.js';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { SPLIT_PATTERNS } from '../../../../extension/src/core/text/splitPatterns.js';
import type { TokenizerFiles } from '../../../../extension/src/core/text/textTokenizer.js';
import { withinTime } from '../../../../extension/src/system/boundedWork.js';
import { fixtureFiles } from './tokenizerFixtures.js';

/** A twentieth of the time, for tests. */
const soon: WithinTime = (limitMs, work) => withinTime(limitMs / 20, work);
const { tokenizer: good, config } = fixtureFiles('smollm');
const model = good.model as Record<string, unknown>;
const withStage = (stage: string, value: unknown) =>
  createTokenizer({ tokenizer: { ...good, [stage]: value }, config }, soon);
const isInputError = (message: RegExp) =>
  expect.toSatisfy((error: unknown) => error instanceof InputError && message.test(error.describe()));

const endless = { Regex: '(a+)+!' };
const text = 'a'.repeat(60);

describe('a tokenizer that never ends', () => {
  const split = { type: 'Split', pattern: endless, behavior: 'Isolated', invert: false };
  test.each<[string, string, unknown]>([
    ['Split', 'pre_tokenizer', split],
    ['Split in a sequence', 'pre_tokenizer', { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, split] }],
    ['Replace', 'normalizer', { type: 'Replace', pattern: endless, content: '' }],
    [
      'Replace in a sequence',
      'normalizer',
      { type: 'Sequence', normalizers: [{ type: 'Replace', pattern: endless, content: '' }] },
    ],
  ])('%s', { timeout: 60_000 }, (_, stage, value) => {
    const tokenizer = withStage(stage, value);
    for (let i = 0; i < 3; i++)
      expect(() => tokenizer.encode(text)).toThrow(
        isInputError(/tokenizer\.json: .* length 60: it takes more than 1 s/),
      );
    expect(() => tokenizer.encode(text)).toThrow(isInputError(/it took too long for 3 texts/));
  });

  test('a decoder', { timeout: 60_000 }, () => {
    const tokenizer = withStage('decoder', {
      type: 'Sequence',
      decoders: [{ type: 'ByteLevel' }, { type: 'Fuse' }, { type: 'Replace', pattern: endless, content: '' }],
    });
    const ids = createTokenizer({ tokenizer: good, config }).encode(text);
    expect(() => tokenizer.decode(ids)).toThrow(isInputError(/tokenizer\.json: .*it takes more than/));
  });
});

describe('an added token as long as a text that agrees with it almost to its end', () => {
  const long = 'a'.repeat(40_000);
  const token = { content: `${long}z`, special: false, normalized: true };
  const added = [...(good.added_tokens as unknown[]), { ...token, id: 99_999 }];
  test.each<[string, TokenizerFiles]>([
    ['in tokenizer.json', { tokenizer: { ...good, added_tokens: added }, config }],
    ['in tokenizer_config.json', { tokenizer: good, config: { ...config, added_tokens_decoder: { 99999: token } } }],
  ])('%s', { timeout: 60_000 }, (_, files) => {
    const tokenizer = createTokenizer(files, soon);
    expect(() => tokenizer.encode(long)).toThrow(isInputError(/tokenizer\.json: .* length 40000: it takes more than/));
  });
});

describe('a normalizer that makes a text far longer', () => {
  const replace = (from: string, to: string) => ({ type: 'Replace', pattern: { String: from }, content: to });
  test.each<[string, unknown]>([
    ['once', replace('a', 'a'.repeat(10_000))],
    ['step by step', { type: 'Sequence', normalizers: Array.from({ length: 60 }, () => replace('a', 'aa')) }],
    ['by a prefix', { type: 'Prepend', prepend: 'a'.repeat(1 << 20) }],
  ])('%s', (_, normalizer) => {
    expect(() => withStage('normalizer', normalizer).encode(text)).toThrow(
      isInputError(/tokenizer\.json: .*normalizer makes/),
    );
  });
});

describe('a decoder that makes a text far longer', () => {
  const replace = (content: string) => ({ type: 'Replace', pattern: { String: 'a' }, content });
  test.each<[string, unknown]>([
    ['once', replace('a'.repeat(10_000))],
    ['step by step', { type: 'Sequence', decoders: Array.from({ length: 60 }, () => replace('aa')) }],
  ])('%s', (_, decoder) => {
    const ids = createTokenizer({ tokenizer: good, config }).encode('a '.repeat(60));
    expect(() => withStage('decoder', decoder).decode(ids)).toThrow(isInputError(/tokenizer\.json: .*decoder makes/));
  });
});

describe('a file of another shape', () => {
  test.each<[string, Record<string, unknown>]>([
    ['added tokens that are no list', { added_tokens: { a: 1 } }],
    ['an added token without a content', { added_tokens: [{ id: 1 }] }],
    ['an added token whose content is a number', { added_tokens: [{ id: 1, content: 0 }] }],
    ['an added token that is null', { added_tokens: [null] }],
    ['a model without merges', { model: { ...model, merges: undefined } }],
    ['merges that are no list', { model: { ...model, merges: 3 } }],
    ['merges of numbers', { model: { ...model, merges: [1, 2] } }],
    ['a vocabulary of text', { model: { ...model, vocab: 'abc' } }],
    ['a vocabulary without ids', { model: { ...model, vocab: { a: null } } }],
    ['an unknown model', { model: { ...model, type: 'Magic' } }],
    ['a pre-tokenizer of text', { pre_tokenizer: 'ByteLevel' }],
    ['a pre-tokenizer without a type', { pre_tokenizer: {} }],
    ['a sequence without steps', { pre_tokenizer: { type: 'Sequence' } }],
    ['a sequence of null', { pre_tokenizer: { type: 'Sequence', pretokenizers: [null] } }],
    ['a split without a pattern', { pre_tokenizer: { type: 'Split', behavior: 'Isolated' } }],
    [
      'a split with a behavior that is no text',
      { pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: { toString: 1 } } },
    ],
    [
      'a split with an invalid pattern',
      { pre_tokenizer: { type: 'Split', behavior: 'Isolated', pattern: { Regex: '(' } } },
    ],
    ['a normalizer of another kind', { normalizer: { type: 'Magic' } }],
    ['a normalizer whose steps are no list', { normalizer: { type: 'Sequence', normalizers: 1 } }],
    ['a decoder of another kind', { decoder: { type: 'Magic' } }],
    [
      'a post-processor whose parts are true',
      { post_processor: { type: 'TemplateProcessing', single: true, special_tokens: {} } },
    ],
    [
      'a post-processor whose parts are text',
      { post_processor: { type: 'TemplateProcessing', single: ['-1'], special_tokens: {} } },
    ],
    [
      'a post-processor with a token that isn’t listed',
      { post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[X]' } }], special_tokens: {} } },
    ],
    [
      'a post-processor with an id that no token has',
      { post_processor: { type: 'RobertaProcessing', sep: ['</s>', 1e9], cls: ['<s>', 0] } },
    ],
    ['a post-processor without ids', { post_processor: { type: 'BertProcessing', sep: '</s>', cls: '<s>' } }],
  ])('%s', (_, change) => {
    const use = () => {
      const tokenizer = createTokenizer({ tokenizer: { ...good, ...change }, config }, soon);
      tokenizer.decode(tokenizer.encode('Hello world'));
      throw new Error('it was used');
    };
    expect(use).toThrow(isInputError(/^tokenizer(_config)?\.json: /));
  });
});

test('the known expressions end on adverse texts, and are not watched', () => {
  const texts = [' ', '\t', '\n ', 'a', 'A', '中', '́', "'", '!', '1', ' \r\n/'].map(part =>
    part.repeat(20_000 / part.length),
  );
  for (const [name, Regex] of Object.entries(SPLIT_PATTERNS)) {
    const never: WithinTime = () => {
      throw new Error(`${name} is watched`);
    };
    const split = { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
    const preTokenizer = { type: 'Sequence', pretokenizers: [split, { type: 'ByteLevel', use_regex: false }] };
    const tokenizer = createTokenizer({ tokenizer: { ...good, pre_tokenizer: preTokenizer }, config }, never);
    for (const adverse of texts) expect(tokenizer.encode(`${adverse}x`).length, name).toBeGreaterThan(0);
  }
});
