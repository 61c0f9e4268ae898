// A folder's tokenizer as GGUF metadata, read again by ggufTokenizer.ts: the same ids, special tokens and pre-tokenizer; one that
// llama.cpp doesn't know is refused. Pre-tokenizers of real tokenizers were compared with llama.cpp's converter (decision 50).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import type { TokenizerFiles } from '../../../../extension/src/core/text/textTokenizer.js';
import type { GgufValue } from '../../../../extension/src/engine/files/ggufFormat.js';
import { GgufMetadata } from '../../../../extension/src/engine/files/ggufMetadata.js';
import { ggufTokenizer } from '../../../../extension/src/engine/files/ggufTokenizer.js';
import { PRE_TOKENIZER_TEXT, tokenizerMetadata } from '../../../../extension/src/engine/files/ggufTokenizerMetadata.js';
import type { GgufTypedValue } from '../../../../extension/src/engine/files/ggufWriter.js';
import { withinTime } from '../../../../extension/src/system/boundedWork.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
const folder = (path: string): TokenizerFiles => ({
  tokenizer: json(join(path, 'tokenizer.json')),
  config: json(join(path, 'tokenizer_config.json')),
});
const stored = (name: string) => folder(join('test/fixtures/tokenizers', name));
const valueOf = (value: GgufTypedValue): GgufValue =>
  value.type === 'array' ? value.items.map(item => item.value) : value.value;

function written(files: TokenizerFiles, rows?: number, config = {}): Map<string, GgufValue> {
  const tokenizer = createTokenizer(files, withinTime);
  const metadata = tokenizerMetadata({ files, tokenizer, rows: rows ?? tokenizer.vocabSize, config, path: 'model' });
  return new Map([...metadata].map(([key, value]) => [key, valueOf(value)]));
}

const TEXTS = [
  PRE_TOKENIZER_TEXT,
  'Ahoy, ye 12345 landlubbers!',
  "  it's\n\n\ttabs  and   spaces ",
  'ẞtraße — “ﬁn”',
  '',
];

const SENTENCE_PIECE: TokenizerFiles = {
  tokenizer: {
    version: '1.0',
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({
      ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: null,
    model: {
      type: 'BPE',
      ...{ dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null },
      ...{ fuse_unk: true, byte_fallback: true, ignore_merges: false },
      vocab: Object.fromEntries(
        [
          ...['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, i) => byteToken(i))],
          ...['he', '▁he', 'll', 'hell', '▁hell', '▁', 'h', 'e', 'l', 'o'],
        ].map((token, id) => [token, id]),
      ),
      merges: ['h e', '▁ he', 'l l', 'he ll', '▁ hell', '▁he ll'],
    },
  },
  config: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' },
};

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

describe.each([
  ['gpt2', stored('gpt2'), { pre: 'gpt-2', bos: false }],
  ['smollm', stored('smollm'), { pre: 'smollm', bos: false }],
  ['qwen', stored('qwen'), { pre: 'qwen2', bos: false }],
  ['llama3', stored('llama3'), { pre: 'llama-bpe', bos: true }],
  ['embedded', folder('media/models/tiny'), { pre: 'gpt-2', bos: false }],
  ['sentencepiece', SENTENCE_PIECE, { pre: 'default', bos: true }],
] as const)('%s', (_name, files, { pre, bos }) => {
  const tokenizer = createTokenizer(files, withinTime);
  const metadata = written(files, tokenizer.vocabSize + 2);
  const again = createTokenizer(ggufTokenizer('llama', new GgufMetadata(metadata, 'model.gguf'))!, withinTime);

  it('is named as llama.cpp names it, with a token for each row', () => {
    expect(metadata.get('tokenizer.ggml.pre')).toBe(pre);
    expect(metadata.get('tokenizer.ggml.add_bos_token')).toBe(bos);
    const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
    expect(tokens).toHaveLength(tokenizer.vocabSize + 2);
    expect(tokens.slice(-2)).toEqual([`[PAD${tokenizer.vocabSize}]`, `[PAD${tokenizer.vocabSize + 1}]`]);
    expect((metadata.get('tokenizer.ggml.token_type') as number[]).slice(-2)).toEqual([5, 5]);
    for (const [name, id] of [
      ['bos', tokenizer.bosTokenId],
      ['eos', tokenizer.eosTokenId],
    ] as const)
      if (id !== null) expect(metadata.get(`tokenizer.ggml.${name}_token_id`)).toBe(id);
  });

  it('gives the same ids when it is read again', () => {
    const special = Object.values(tokenizer.specialTokens);
    for (const text of [...TEXTS, ...special.map(token => `hello${token} hello ${token}`)])
      for (const addSpecialTokens of [true, false])
        expect(again.encode(text, { addSpecialTokens }), JSON.stringify(text)).toEqual(
          tokenizer.encode(text, { addSpecialTokens }),
        );
  });
});

const changed = (name: string, changes: Record<string, unknown>, model: Record<string, unknown> = {}) => {
  const { tokenizer, config } = stored(name);
  return { tokenizer: { ...tokenizer, ...changes, model: { ...(tokenizer.model as object), ...model } }, config };
};
const split = (Regex: string, behavior = 'Isolated') => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex }, behavior, invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});

it.each([
  ['another pattern', changed('gpt2', { pre_tokenizer: split('\\p{L}{1,7}') })],
  ['another behaviour', changed('gpt2', { pre_tokenizer: split('\\p{N}', 'Removed') })],
  ['a normalizer', changed('gpt2', { normalizer: { type: 'Lowercase' } })],
  ['merges that are ignored', changed('gpt2', {}, { ignore_merges: true })],
  [
    'a prefix space',
    changed('gpt2', { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, use_regex: true } }),
  ],
])('a byte-level tokenizer with %s is refused', async (_name, files) => {
  const error = await inputErrorOf(() => written(files));
  expect(error.message).toContain('how this tokenizer splits');
});

it.each(['llama2-legacy', 'mistral-first', 'metaspace-split'])(
  '%s, whose merges don’t follow from scores, is refused',
  async name => {
    expect((await inputErrorOf(() => written(stored(name)))).where).toContain('model.merges');
  },
);

it('more tokens than rows, and other types of tokenizers, are refused', async () => {
  expect((await inputErrorOf(() => written(stored('gpt2'), 9))).message).toMatch(
    /tokens, but the embedding has 9 rows/,
  );
  const files = changed('gpt2', {}, { type: 'WordLevel' });
  const tokenizer = createTokenizer(stored('gpt2'), withinTime);
  const work = () => tokenizerMetadata({ files, tokenizer, rows: 600, config: {}, path: 'model' });
  expect((await inputErrorOf(work)).message).toContain('WordLevel');
});

it('added tokens that aren’t special are user-defined, unless they look special', () => {
  const files = changed('gpt2', {
    added_tokens: [
      ...(stored('gpt2').tokenizer['added_tokens'] as object[]),
      ...['<think>', '<|tool|>'].map((content, i) => ({
        ...{
          id: 522 + i,
          content,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: false,
        },
      })),
    ],
  });
  expect((written(files).get('tokenizer.ggml.token_type') as number[]).slice(522)).toEqual([4, 3]);
});

it('ids that only config.json names are written', () => {
  expect(written(stored('qwen'), undefined, { bos_token_id: 520 }).get('tokenizer.ggml.bos_token_id')).toBe(520);
});
