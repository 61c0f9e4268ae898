// Adds the tokens to a tokenizer.json that its tokenizer_config.json names and it lacks, in the order in which Transformers adds them
// on loading, by which they get their ids (tokenizerRepairs.ts). Such ids are often beyond the model's embedding, which only matters
// to a text that has the token. Called by huggingFaceTokenizer.ts.
import { tokenContent } from './tokenizerFolder.js';

type Json = Record<string, unknown>;

/** Transformers' order. */
const NAMED = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** The special tokens that have a name, by it: `bos_token` and so on, then a model's own, such as `image_token`. */
export function namedTokens(config: Json): Map<string, unknown> {
  const extra = config['extra_special_tokens'];
  const all = { ...config, ...(extra && !Array.isArray(extra) ? (extra as Json) : {}) };
  const ofModel = Object.keys(all).filter(name => name.endsWith('_token') && !NAMED.includes(name));
  return new Map(
    [...NAMED, ...ofModel].flatMap(name => (tokenContent(all[name]) === null ? [] : [[name, all[name]] as const])),
  );
}

/** tokenizer.json with the tokens of the config. */
export function withAddedTokens(tokenizer: Json, config: Json): Json {
  const listed = (tokenizer['added_tokens'] as Json[] | undefined) ?? [];
  const added = new Map(listed.map(token => [token['content'] as string, token]));
  const add = (token: unknown, special: boolean) => {
    const content = tokenContent(token);
    if (!content) return;
    const flags = typeof token === 'object' ? (token as Json) : {};
    const isSpecial = special || flags['special'] === true || added.get(content)?.['special'] === true;
    const all = { lstrip: false, rstrip: false, single_word: false, normalized: !isSpecial, ...flags };
    added.set(content, { ...all, content, special: isSpecial });
  };
  const addMissing = (token: unknown, special: boolean) => {
    if (!added.has(tokenContent(token) ?? '')) add(token, special);
  };

  const named = namedTokens(config);
  const namedContents = new Set([...named.values()].map(tokenContent));
  const decoder = Object.entries((config['added_tokens_decoder'] as Json | undefined) ?? {});
  // Only these replace what tokenizer.json says of a token.
  for (const [, token] of decoder.toSorted(([a], [b]) => Number(a) - Number(b)))
    add(token, namedContents.has(tokenContent(token)));
  for (const token of named.values()) addMissing(token, true);
  const extra = config['extra_special_tokens'] ?? config['additional_special_tokens'];
  for (const token of Array.isArray(extra) ? extra : []) addMissing(token, typeof token === 'string');
  return { ...tokenizer, added_tokens: [...added.values()] };
}
