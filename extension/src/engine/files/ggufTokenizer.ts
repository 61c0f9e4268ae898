// tokenizer.json and tokenizer_config.json of a GGUF model, rebuilt from its metadata.
// Called by the GGUF model reader. Two kinds: byte-level BPE (`gpt2`) and SentencePiece BPE with scores (`llama`); a
// vocabulary that would be split in another way than it was trained is an error, never a guess.
import type { TokenizerFiles } from '../../core/text/textTokenizer.js';
import type { GgufMetadata } from './ggufMetadata.js';

/** Numbers of `tokenizer.ggml.token_type`. */
const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4 };

interface Vocabulary {
  tokens: string[];
  types: number[];
  /** By token. */
  ids: Map<string, number>;
}

/** @returns null where the file carries no tokenizer */
export function ggufTokenizer(architecture: string, metadata: GgufMetadata): TokenizerFiles | null {
  const kind = metadata.optionalString('tokenizer.ggml.model');
  if (kind === null || kind === 'none') return null;
  if (kind !== 'gpt2' && kind !== 'llama') {
    metadata.fail(
      'tokenizer.ggml.model',
      `a tokenizer of kind ${kind} can’t be read`,
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
      ...optional('chat_template', metadata.optionalString('tokenizer.chat_template')),
    },
  };
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}

function readVocabulary(metadata: GgufMetadata): Vocabulary {
  const tokens = metadata.optionalStrings('tokenizer.ggml.tokens');
  if (!tokens?.length) return metadata.fail('tokenizer.ggml.tokens', 'the tokens are missing');
  const types = metadata.optionalNumbers('tokenizer.ggml.token_type') ?? tokens.map(() => tokenTypes.normal);
  if (types.length !== tokens.length) {
    metadata.fail('tokenizer.ggml.token_type', `${types.length} types for ${tokens.length} tokens`);
  }
  const ids = new Map(tokens.map((token, id) => [token, id]));
  if (ids.size !== tokens.length) {
    const twice = tokens.find((token, id) => ids.get(token) !== id);
    metadata.fail('tokenizer.ggml.tokens', `the token ${JSON.stringify(twice)} stands there twice`);
  }
  return { tokens, types, ids };
}

function addedTokens({ tokens, types }: Vocabulary): Record<string, unknown>[] {
  return tokens.flatMap((content, id) => {
    const special = types[id] === tokenTypes.control || types[id] === tokenTypes.unknown;
    if (!special && types[id] !== tokenTypes.userDefined) return [];
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
      metadata.fail(`tokenizer.ggml.${key}_token_id`, `${id} is no id of ${tokens.length} tokens`);
    special[name] = tokens[id];
  }
  return special;
}

/** Which special tokens stand around a text where the metadata doesn't say. */
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

const bpe = {
  type: 'BPE',
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

// How a text is cut before the merges, by `tokenizer.ggml.pre`; regular expressions as in the models' own tokenizer.json.
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const tail = '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const tekkenWords =
  `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*` +
  '|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

interface PreTokenizer {
  names: string[];
  /** One after the other, each cutting out what it matches. */
  splits: string[];
  normalizer?: unknown;
  /** A word that is a token of its own is not merged from pieces. */
  ignoreMerges?: boolean;
  addBos?: boolean;
}

const preTokenizers: PreTokenizer[] = [
  { names: ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'gigachat', 'exaone4', 'trillion'], splits: [gpt2Words] },
  { names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone'], splits: ['\\p{N}', gpt2Words] },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'megrez', 'kormo'],
    splits: [`${contractions}|\\p{N}${tail}`],
    normalizer: { type: 'NFC' },
  },
  { names: ['stablelm2', 'hunyuan'], splits: [`${contractions}|\\p{N}${tail}`] },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'pixtral'],
    splits: [`${contractions}|\\p{N}{1,3}${tail}`],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ['dbrx', 'smaug-bpe'], splits: [`${contractions}|\\p{N}{1,3}${tail}`] },
  { names: ['tekken'], splits: [tekkenWords], ignoreMerges: true, addBos: true },
  {
    // What llama.cpp does with a vocabulary it knows nothing of.
    names: ['default'],
    splits: ['[\\p{P}\\$\\+<=>\\^~\\|]+', gpt2Words, '\\p{N}+', '[0-9][0-9][0-9]'],
  },
];

/** What files had before `tokenizer.ggml.pre` was there. */
const preByArchitecture: Record<string, string> = { llama: 'llama-bpe', qwen2: 'qwen2', qwen3: 'qwen2', gpt2: 'gpt-2' };

function byteLevelRules(architecture: string, metadata: GgufMetadata, vocabulary: Vocabulary): Rules {
  const name = metadata.optionalString('tokenizer.ggml.pre') ?? preByArchitecture[architecture];
  const pre = preTokenizers.find(({ names }) => names.includes(name));
  if (!pre) {
    return metadata.fail(
      'tokenizer.ggml.pre',
      `the pre-tokenizer ${name} isn’t known`,
      `Use the Hugging Face folder of this model. Known are ${preTokenizers.flatMap(({ names }) => names).join(', ')}.`,
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
      ...bpe,
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
  if (pair.length !== 2) metadata.fail('tokenizer.ggml.merges', `${JSON.stringify(merge)} is no pair`);
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
  const unknown = vocabulary.types.indexOf(tokenTypes.unknown);
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [...prepend, { type: 'Replace', pattern: { String: ' ' }, content: space }],
    },
    pre_tokenizer: null,
    model: {
      ...bpe,
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
 * SentencePiece joins the two neighbours whose joint piece scores highest; a merge list in the order of falling scores
 * says the same. Pieces of equal score stand in the order of Transformers' converter.
 */
function mergesFromScores({ tokens, types, ids }: Vocabulary, scores: number[]): [string, string][] {
  const isPiece = (id: number | undefined): id is number => id !== undefined && types[id] === tokenTypes.normal;
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
