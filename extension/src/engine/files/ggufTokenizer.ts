// Rebuilds tokenizer.json and tokenizer_config.json of a GGUF model from its metadata. Called by ggufModel.ts. Supports byte-level
// BPE (`gpt2`) and SentencePiece BPE with scores (`llama`); an unknown pre-tokenizer is an error, never a guess.
import { SPLIT_PATTERNS } from '../../core/text/splitPatterns.js';
import type { TokenizerFiles } from '../../core/text/textTokenizer.js';
import type { GgufMetadata } from './ggufMetadata.js';

/** Values of `tokenizer.ggml.token_type`. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Vocabulary {
  tokens: string[];
  types: number[];
  /** By token. */
  ids: Map<string, number>;
}

/** @returns null if the file has no tokenizer */
export function ggufTokenizer(architecture: string, metadata: GgufMetadata): TokenizerFiles | null {
  const kind = metadata.optionalString('tokenizer.ggml.model');
  if (kind === null || kind === 'none') return null;
  if (kind !== 'gpt2' && kind !== 'llama') {
    metadata.fail(
      'tokenizer.ggml.model',
      `the tokenizer type ${kind} is not supported`,
      'Use the Hugging Face folder instead.',
    );
  }
  const vocabulary = readVocabulary(metadata);
  const rules =
    kind === 'gpt2' ? byteLevelRules(architecture, metadata, vocabulary) : sentencePieceRules(metadata, vocabulary);
  const { ends, ...parts } = rules;
  const special = specialTokens(metadata, vocabulary);
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens(vocabulary),
      ...parts,
      post_processor: postProcessor(metadata, special, ends),
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      clean_up_tokenization_spaces: false,
      add_bos_token: metadata.optionalBoolean('tokenizer.ggml.add_bos_token') ?? ends.bos,
      add_eos_token: metadata.optionalBoolean('tokenizer.ggml.add_eos_token') ?? ends.eos,
      ...special,
      ...optional('chat_template', chatTemplate(metadata)),
    },
    templatePlace: { file: metadata.path, key: 'tokenizer.chat_template' },
  };
}

/** A text, or named texts if there are others than the default one, as in tokenizer_config.json. */
function chatTemplate(metadata: GgufMetadata): unknown {
  const own = metadata.optionalString('tokenizer.chat_template');
  const others = (metadata.optionalStrings('tokenizer.chat_templates') ?? []).flatMap(name => {
    const template = metadata.optionalString(`tokenizer.chat_template.${name}`);
    return template === null ? [] : [{ name, template }];
  });
  if (others.length === 0) return own;
  return own === null ? others : [{ name: 'default', template: own }, ...others];
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}

function readVocabulary(metadata: GgufMetadata): Vocabulary {
  const tokens = metadata.optionalStrings('tokenizer.ggml.tokens');
  if (!tokens?.length) return metadata.fail('tokenizer.ggml.tokens', 'the tokens are missing');
  const types = metadata.optionalNumbers('tokenizer.ggml.token_type') ?? tokens.map(() => TOKEN_TYPES.normal);
  if (types.length !== tokens.length) {
    metadata.fail('tokenizer.ggml.token_type', `${types.length} types for ${tokens.length} tokens`);
  }
  const ids = new Map(tokens.map((token, id) => [token, id]));
  if (ids.size !== tokens.length) {
    const twice = tokens.find((token, id) => ids.get(token) !== id);
    metadata.fail('tokenizer.ggml.tokens', `duplicate token ${JSON.stringify(twice)}`);
  }
  return { tokens, types, ids };
}

function addedTokens({ tokens, types }: Vocabulary): Record<string, unknown>[] {
  return tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPES.control || types[id] === TOKEN_TYPES.unknown;
    if (!special && types[id] !== TOKEN_TYPES.userDefined) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
}

function specialTokens(metadata: GgufMetadata, { tokens }: Vocabulary): Record<string, string> {
  const names = { bos_token: 'bos', eos_token: 'eos', unk_token: 'unknown', pad_token: 'padding' };
  const special: Record<string, string> = {};
  for (const [name, key] of Object.entries(names)) {
    const id = metadata.optionalNumber(`tokenizer.ggml.${key}_token_id`);
    if (id === null) continue;
    if (tokens[id] === undefined)
      metadata.fail(`tokenizer.ggml.${key}_token_id`, `${id} is not the id of one of ${tokens.length} tokens`);
    special[name] = tokens[id];
  }
  return special;
}

/** Default for the special tokens around a text, if the metadata has none. */
interface Ends {
  bos: boolean;
  eos: boolean;
}

function postProcessor(metadata: GgufMetadata, special: Record<string, string>, ends: Ends): unknown {
  const before = (metadata.optionalBoolean('tokenizer.ggml.add_bos_token') ?? ends.bos) ? special.bos_token : undefined;
  const after = (metadata.optionalBoolean('tokenizer.ggml.add_eos_token') ?? ends.eos) ? special.eos_token : undefined;
  if (before === undefined && after === undefined) return null;
  const around = (sequence: 'A' | 'B') => {
    const type_id = sequence === 'A' ? 0 : 1;
    const token = (id: string | undefined) => (id === undefined ? [] : [{ SpecialToken: { id, type_id } }]);
    return [...token(before), { Sequence: { id: sequence, type_id } }, ...token(after)];
  };
  const ids = (token: string) => metadata.number(`tokenizer.ggml.${token === before ? 'bos' : 'eos'}_token_id`);
  const used = [before, after].filter(token => token !== undefined);
  return {
    type: 'TemplateProcessing',
    single: around('A'),
    pair: [...around('A'), ...around('B')],
    special_tokens: Object.fromEntries(used.map(token => [token, { id: token, ids: [ids(token)], tokens: [token] }])),
  };
}

interface Rules {
  normalizer: unknown;
  pre_tokenizer: unknown;
  model: Record<string, unknown>;
  decoder: unknown;
  ends: Ends;
}

const BPE = {
  type: 'BPE',
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

/** How a text is split before the merges, by `tokenizer.ggml.pre`. */
interface PreTokenizer {
  names: string[];
  /** Applied in order; each isolates what it matches. */
  splits: string[];
  normalizer?: unknown;
  /** A word that is a token is not merged from pieces. */
  ignoreMerges?: boolean;
  addBos?: boolean;
}

const PRE_TOKENIZERS: PreTokenizer[] = [
  {
    names: ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'gigachat', 'exaone4', 'trillion'],
    splits: [SPLIT_PATTERNS.gpt2],
  },
  {
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone'],
    splits: [SPLIT_PATTERNS.digit, SPLIT_PATTERNS.gpt2],
  },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'megrez', 'kormo'],
    splits: [SPLIT_PATTERNS.qwen2],
    normalizer: { type: 'NFC' },
  },
  { names: ['stablelm2', 'hunyuan'], splits: [SPLIT_PATTERNS.qwen2] },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'pixtral'],
    splits: [SPLIT_PATTERNS.llama3],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ['dbrx', 'smaug-bpe'], splits: [SPLIT_PATTERNS.llama3] },
  { names: ['tekken'], splits: [SPLIT_PATTERNS.tekken], ignoreMerges: true, addBos: true },
  {
    // llama.cpp's default for unknown vocabularies.
    names: ['default'],
    splits: ['[\\p{P}\\$\\+<=>\\^~\\|]+', SPLIT_PATTERNS.gpt2, '\\p{N}+', '[0-9][0-9][0-9]'],
  },
];

/** `tokenizer.ggml.pre` of a byte-level tokenizer with these rules; null if no pre-tokenizer has them. */
export function preTokenizerWith(splits: readonly string[], normalizer: unknown, ignoreMerges: boolean): string | null {
  const rules = (pre: Pick<PreTokenizer, 'normalizer' | 'ignoreMerges'>, own: readonly string[]) =>
    JSON.stringify([own, pre.normalizer ?? null, pre.ignoreMerges ?? false]);
  const wanted = rules({ normalizer, ignoreMerges }, splits);
  return PRE_TOKENIZERS.find(pre => rules(pre, pre.splits) === wanted)?.names[0] ?? null;
}

/** For older files without `tokenizer.ggml.pre`. */
const PRE_BY_ARCHITECTURE: Record<string, string> = {
  llama: 'llama-bpe',
  qwen2: 'qwen2',
  qwen3: 'qwen2',
  gpt2: 'gpt-2',
};

function byteLevelRules(architecture: string, metadata: GgufMetadata, vocabulary: Vocabulary): Rules {
  const name = metadata.optionalString('tokenizer.ggml.pre') ?? PRE_BY_ARCHITECTURE[architecture];
  const pre = PRE_TOKENIZERS.find(({ names }) => names.includes(name));
  if (!pre) {
    return metadata.fail(
      'tokenizer.ggml.pre',
      `the pre-tokenizer ${name} is not supported`,
      `Use the Hugging Face folder of this model. Supported are ${PRE_TOKENIZERS.flatMap(({ names }) => names).join(', ')}.`,
    );
  }
  const merges = metadata.optionalStrings('tokenizer.ggml.merges');
  if (!merges) return metadata.fail('tokenizer.ggml.merges', 'the merges are missing');
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const splits = pre.splits.map(regex => ({
    type: 'Split',
    pattern: { Regex: regex },
    behavior: 'Isolated',
    invert: false,
  }));
  return {
    normalizer: pre.normalizer ?? null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...splits, byteLevel] },
    model: {
      ...BPE,
      ignore_merges: pre.ignoreMerges ?? false,
      vocab: Object.fromEntries(vocabulary.ids),
      merges: merges.map(merge => splitMerge(merge, metadata)),
    },
    decoder: byteLevel,
    ends: { bos: pre.addBos ?? false, eos: false },
  };
}

function splitMerge(merge: string, metadata: GgufMetadata): [string, string] {
  const pair = merge.split(' ');
  if (pair.length !== 2) metadata.fail('tokenizer.ggml.merges', `${JSON.stringify(merge)} is not a pair`);
  return pair as [string, string];
}

function sentencePieceRules(metadata: GgufMetadata, vocabulary: Vocabulary): Rules {
  const scores = metadata.optionalNumbers('tokenizer.ggml.scores');
  if (scores?.length !== vocabulary.tokens.length) {
    return metadata.fail(
      'tokenizer.ggml.scores',
      `${scores?.length ?? 0} scores for ${vocabulary.tokens.length} tokens`,
    );
  }
  const addSpace = metadata.optionalBoolean('tokenizer.ggml.add_space_prefix') ?? true;
  const space = '▁';
  const prepend = addSpace ? [{ type: 'Prepend', prepend: space }] : [];
  const strip = addSpace ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [];
  const unknown = vocabulary.types.indexOf(TOKEN_TYPES.unknown);
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [...prepend, { type: 'Replace', pattern: { String: ' ' }, content: space }],
    },
    pre_tokenizer: null,
    model: {
      ...BPE,
      unk_token: vocabulary.tokens[unknown] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(vocabulary.ids),
      merges: mergesFromScores(vocabulary, scores),
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: space }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...strip,
      ],
    },
    ends: { bos: true, eos: false },
  };
}

/**
 * SentencePiece merges the two neighbours whose joint piece has the highest score, which is equivalent to a merge list in order of
 * descending scores. Pieces of equal score are in the order of Transformers' converter.
 */
export function mergesFromScores({ tokens, types, ids }: Vocabulary, scores: number[]): [string, string][] {
  const isPiece = (id: number | undefined): id is number => id !== undefined && types[id] === TOKEN_TYPES.normal;
  const merges: { left: number; right: number; score: number; lengths: [number, number] }[] = [];
  tokens.forEach((token, id) => {
    if (!isPiece(id)) return;
    const characters = [...token];
    const splits = characters.slice(1).flatMap((_, i) => {
      const left = ids.get(characters.slice(0, i + 1).join(''));
      const right = ids.get(characters.slice(i + 1).join(''));
      const lengths: [number, number] = [i + 1, characters.length - i - 1];
      return isPiece(left) && isPiece(right) ? [{ left, right, score: scores[id], lengths }] : [];
    });
    merges.push(...splits.toSorted((a, b) => a.left - b.left || a.right - b.right));
  });
  merges.sort((a, b) => b.score - a.score || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1]);
  return merges.map(({ left, right }) => [tokens[left], tokens[right]]);
}
