// Writes the tokenizer of a model folder as GGUF metadata: byte-level BPE (`gpt2`) and SentencePiece BPE (`llama`). Called when a
// folder is written as GGUF. What GGUF has no name for is an error, never a guess. Facts from llama.cpp's `conversion/base.py` and
// gguf-py's `vocab.py`; ggufTokenizer.ts reads it.
import { createHash } from 'node:crypto';
import { InputError } from '../../core/inputError.js';
import { SPLIT_PATTERNS } from '../../core/text/splitPatterns.js';
import type { TextTokenizer, TokenizerFiles } from '../../core/text/textTokenizer.js';
import { TOKEN_TYPES, mergesFromScores, preTokenizerWith } from './ggufTokenizer.js';
import type { GgufTypedValue } from './ggufWriter.js';

/** Encoded by llama.cpp's converter, which knows a tokenizer by the ids. */
export const PRE_TOKENIZER_TEXT =
  '\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n🚀 (normal) 😶\u200d🌫️ (multiple emojis concatenated) ✅ 🦙🦙 3 33 333 3333 33333 ' +
  '333333 3333333 33333333 3.3 3..3 3...3 កាន់តែពិសេសអាច😁 ?我想在apple工作1314151天～ ------======= нещо на Български ' +
  "''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? " +
  "We'Ve a'lL";

/** SHA-256 of its ids, as Python prints the list: those of the pre-tokenizers that this program reads too. */
const PRE_TOKENIZERS_BY_HASH: Readonly<Record<string, string>> = {
  '0ef9807a4087ebef797fc749390439009c3b9eda9ad1a097abbe738f486c01e5': 'llama-bpe',
  '9d032fcbd5501f4a38150912590928bfb36091efb5df11b8e2124b0390e3fb1e': 'falcon3',
  b6dc8df998e1cfbdc4eac8243701a65afe638679230920b50d6f17d81c098166: 'olmo',
  '35d91631860c815f952d711435f48d356ebac988362536bed955d43bfa436e34': 'starcoder',
  '3ce83efda5659b07b1ad37ca97ca5797ea4285d9b9ab0dc679e4a720c9da7454': 'gpt-2',
  '32d85c31273f8019248f2559fed492d929ea28b17e51d81d3bb36fff23ca72b3': 'stablelm2',
  '6221ad2852e85ce96f791f476e0b390cf9b474c9e3d1362f53a24a06dc8220ff': 'refact',
  '9c2227e4dd922002fb81bde4fc02b0483ca4f12911410dee2255e4987644e3f8': 'command-r',
  e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea: 'qwen2',
  a8594e3edff7c29c003940395316294b2c623e09894deebbc65f33f1515df79e: 'dbrx',
  c136ed14d01c2745d4f60a9596ae66800e2b61fa45643e72436041855ad4089d: 'smaug-bpe',
  b53802fb28e26d645c3a310b34bfe07da813026ec7c7716883404d5e0f8b1901: 'jais',
  '7b3e7548e4308f52a76e8229e4e6cc831195d0d1df43aed21ac6c93da05fec5f': 'codeshell',
  '63b97e4253352e6f357cc59ea5b583e3a680eaeaf2632188c2b952de2588485e': 'tekken',
  '855059429035d75a914d1eda9f10a876752e281a054a7a3d421ef0533e5b6249': 'smollm',
  '4e2b24cc4770243d65a2c9ec19770a72f08cffc161adbb73fcbb6b7dd45a0aae': 'exaone',
  fcace8b9cac38ce847670c970cd5892031a753a1ef381abd1d9af00f713da085: 'phi-2',
  ad851be1dba641f2e3711822f816db2c265f788b37c63b4e1aeacb9ee92de8eb: 'gigachat',
  d4c8f286ea6b520b3d495c4455483cfa2302c0cfcd4be05d781b6a8a0a7cdaf1: 'megrez',
  b3f499bb4255f8ca19fccd664443283318f2fd2414d5e0b040fbdd0cc195d6c5: 'deepseek-r1-qwen',
  '1994ffd01900cfb37395608534236ecd63f2bd5995d6cb1004dda1af50240f15': 'trillion',
  '0e9433cbbb161f89e264eb32e8e64bfe69e834973ffca5d41d3948a604a3e2a3': 'pixtral',
};

type Json = Record<string, unknown>;

export interface TokenizerToWrite {
  files: TokenizerFiles;
  tokenizer: TextTokenizer;
  /** Rows of the embedding: llama.cpp needs a token for each. */
  rows: number;
  /** config.json, for ids that the tokenizer doesn't name. */
  config: Json;
  /** For messages. */
  path: string;
}

/** @throws InputError if GGUF has no way to express it; chat templates are not part of it */
export function tokenizerMetadata(written: TokenizerToWrite): Map<string, GgufTypedValue> {
  const { files, path } = written;
  const model = files.tokenizer['model'] as { type?: unknown; byte_fallback?: unknown };
  if (model.type !== 'BPE')
    throw new InputError(`a tokenizer of type ${String(model.type)} can't be written as GGUF`, {
      file: path,
      key: 'model.type',
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  const { texts, types } = vocabularyOf(written);
  const own = model.byte_fallback === true ? sentencePiece(written, texts, types) : byteLevel(written);
  return new Map<string, GgufTypedValue>([
    ...own,
    ['tokenizer.ggml.tokens', strings(texts)],
    ['tokenizer.ggml.token_type', { type: 'array', items: types.map(value => ({ type: 'int32', value })) }],
    ...specialTokens(written),
  ]);
}

const text = (value: string): GgufTypedValue => ({ type: 'string', value });
const strings = (values: readonly string[]): GgufTypedValue => ({
  type: 'array',
  items: values.map(value => ({ type: 'string', value })),
});

interface AddedToken {
  id: number;
  content: string;
  special?: boolean;
}

function vocabularyOf({ files, tokenizer, rows, path }: TokenizerToWrite): { texts: string[]; types: number[] } {
  if (tokenizer.vocabSize > rows)
    throw new InputError(`the tokenizer has ${tokenizer.vocabSize} tokens, but the embedding has ${rows} rows`, {
      file: path,
      hint: 'Resize the embedding of the model, or use the tokenizer that belongs to it.',
    });
  const added = new Map(((files.tokenizer['added_tokens'] ?? []) as AddedToken[]).map(token => [token.id, token]));
  const special = new Set(Object.values(tokenizer.specialTokens));
  const { unk_token: unknown } = files.tokenizer['model'] as { unk_token?: unknown };
  const hasBytes = (files.tokenizer['model'] as { byte_fallback?: unknown }).byte_fallback === true;
  const texts: string[] = [];
  const types: number[] = [];
  for (let id = 0; id < rows; id++) {
    const token = tokenizer.idToToken(id);
    texts.push(token ?? `[PAD${id}]`);
    if (token === undefined) types.push(TOKEN_TYPES.unused);
    else if (hasBytes && token === unknown) types.push(TOKEN_TYPES.unknown);
    else if (added.has(id) || special.has(token)) {
      const isControl = added.get(id)?.special === true || special.has(token) || looksSpecial(token);
      types.push(isControl ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined);
    } else types.push(hasBytes && /^<0x[0-9A-F]{2}>$/.test(token) ? TOKEN_TYPES.byte : TOKEN_TYPES.normal);
  }
  return { texts, types };
}

/** Some models don't mark tokens as special that are. */
function looksSpecial(token: string): boolean {
  return (
    ['<pad>', '<mask>', '<2mass>', '[@BOS@]'].includes(token) ||
    /^<\|.*\|>$/s.test(token) ||
    /^<｜.*｜>$/s.test(token) ||
    /^<unused.*>$/s.test(token)
  );
}

function byteLevel({ files, tokenizer, path }: TokenizerToWrite): [string, GgufTypedValue][] {
  const ids = tokenizer.encode(PRE_TOKENIZER_TEXT);
  const hash = createHash('sha256')
    .update(`[${ids.join(', ')}]`)
    .digest('hex');
  const pre = PRE_TOKENIZERS_BY_HASH[hash] ?? preTokenizerOf(files.tokenizer);
  if (pre === null)
    throw new InputError('llama.cpp doesn’t know how this tokenizer splits a text', {
      file: path,
      key: 'pre_tokenizer',
      hint: 'A file with another pre-tokenizer would answer differently. Write a Hugging Face folder instead: --out FOLDER.',
    });
  return [
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text(pre)],
    ['tokenizer.ggml.merges', strings(mergesOf(files).map(pair => pair.map(withoutSpaces).join(' ')))],
  ];
}

/** The pre-tokenizer with exactly the rules of tokenizer.json. */
function preTokenizerOf({ normalizer, pre_tokenizer: root, model }: Json): string | null {
  const { type, pretokenizers } = (root ?? {}) as { type?: unknown; pretokenizers?: Json[] };
  const steps = type === 'Sequence' ? (pretokenizers ?? []) : [root as Json];
  const splits: string[] = [];
  let bytes = false;
  for (const step of steps) {
    if (bytes) return null;
    const pattern = (step?.['pattern'] as { Regex?: unknown } | undefined)?.Regex;
    if (step?.['type'] === 'Split' && typeof pattern === 'string' && step['behavior'] === 'Isolated' && !step['invert'])
      splits.push(pattern);
    else if (step?.['type'] === 'Digits' && step['individual_digits'] === true) splits.push(SPLIT_PATTERNS.digit);
    else if (step?.['type'] === 'ByteLevel' && step['add_prefix_space'] !== true) {
      if (step['use_regex'] !== false) splits.push(SPLIT_PATTERNS.gpt2);
      bytes = true;
    } else return null;
  }
  return bytes ? preTokenizerWith(splits, normalizer, (model as Json)['ignore_merges'] === true) : null;
}

function mergesOf({ tokenizer }: TokenizerFiles): [string, string][] {
  const { merges } = tokenizer['model'] as { merges: (string | [string, string])[] };
  return merges.map(merge => (typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge));
}

/** A space separates the two parts of a merge. */
function withoutSpaces(part: string): string {
  return part.replaceAll(' ', 'Ġ');
}

/** @throws InputError if llama.cpp, which merges by scores, would make other merges */
function sentencePiece(
  { files, path }: TokenizerToWrite,
  tokens: string[],
  types: number[],
): [string, GgufTypedValue][] {
  const merges = mergesOf(files);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const scores = tokens.map(() => -merges.length);
  // The first merge that makes a token is the one that counts.
  for (let i = merges.length - 1; i >= 0; i--) {
    const id = ids.get(merges[i].join(''));
    if (id !== undefined) scores[id] = -i;
  }
  const order = merges.map(pair => scores[ids.get(pair.join('')) ?? -1]);
  const inOrder = order.every((score, i) => i === 0 || score <= order[i - 1]);
  const asTexts = (pairs: [string, string][]) => pairs.map(pair => pair.join(' ')).toSorted();
  const byScores = asTexts(mergesFromScores({ tokens, types, ids }, scores));
  const same = byScores.length === merges.length && asTexts(merges).every((pair, i) => pair === byScores[i]);
  if (!inOrder || !same)
    throw new InputError('llama.cpp merges by the scores of tokens, which would be other merges than these', {
      file: path,
      key: 'model.merges',
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  const prefix = /"Prepend"|"prepend_scheme":"(always|first)"|"add_prefix_space":true/;
  const rules = JSON.stringify([files.tokenizer['normalizer'], files.tokenizer['pre_tokenizer']]);
  return [
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.pre', text('default')],
    ['tokenizer.ggml.scores', { type: 'array', items: scores.map(value => ({ type: 'float32', value })) }],
    ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: prefix.test(rules) }],
  ];
}

function specialTokens({ tokenizer, config, rows }: TokenizerToWrite): [string, GgufTypedValue][] {
  const entries: [string, GgufTypedValue][] = [];
  const named = { bos: 'bos', eos: 'eos', unk: 'unknown', sep: 'seperator', pad: 'padding', mask: 'mask' };
  for (const [name, key] of Object.entries(named)) {
    const token = tokenizer.specialTokens[`${name}_token`];
    const id = token === undefined ? config[`${name}_token_id`] : tokenizer.tokenToId(token);
    if (typeof id === 'number' && id >= 0 && id < rows)
      entries.push([`tokenizer.ggml.${key}_token_id`, { type: 'uint32', value: id }]);
  }
  const ids = tokenizer.encode('a');
  const bare = tokenizer.encode('a', { addSpecialTokens: false });
  const adds = { bos: ids.length > bare.length && ids[0] === tokenizer.bosTokenId, eos: false };
  adds.eos = ids.length > bare.length && ids.at(-1) === tokenizer.eosTokenId && bare.at(-1) !== tokenizer.eosTokenId;
  for (const [name, value] of Object.entries(adds))
    entries.push([`tokenizer.ggml.add_${name}_token`, { type: 'bool', value }]);
  return entries;
}
