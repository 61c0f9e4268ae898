// Trains the embedded model's byte-level BPE tokenizer on its corpus and writes tokenizer.json and tokenizer_config.json in Hugging
// Face's format. Run by make.mjs. Sennrich et al. 2016, on bytes as in GPT-2.
// Usage: node trainTokenizer.mjs CORPUS.jsonl FOLDER [VOCABULARY]
import { createReadStream, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chatTemplate, endOfText, specialTokens, turnEnd } from './chatTemplate.mjs';

/** GPT-2's split into words, as in the ByteLevel pre-tokenizer of tokenizer.json. */
const WORD_PATTERN = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const SPECIAL_PATTERN = new RegExp(specialTokens.map(token => token.replace(/[|]/g, '\\|')).join('|'));

/** GPT-2's printable character for each byte: printable Latin-1 characters are unchanged, the others begin at U+0100. */
const byteCharacters = (() => {
  const printable = byte => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

/** @param {string} word */
const toByteCharacters = word => Array.from(Buffer.from(word, 'utf8'), byte => byteCharacters[byte]);

/**
 * Counts the occurrences of each word in the texts.
 * @param {AsyncIterable<string> | Iterable<string>} texts
 * @returns {Promise<Map<string, number>>}
 */
export async function countWords(texts) {
  const counts = new Map();
  for await (const text of texts) {
    for (const part of text.split(SPECIAL_PATTERN)) {
      for (const word of part.match(WORD_PATTERN) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

/**
 * The merges of byte pair encoding, most frequent pair first; equal counts are ordered by the pair's text, so that the result
 * depends on the counts only.
 * @param {Map<string, number>} wordCounts
 * @param {number} tokenLimit number of different tokens to create
 * @returns {[string, string][]} fewer if no pair is left that occurs twice
 */
export function findMerges(wordCounts, tokenLimit) {
  const words = [...wordCounts].map(([word, count]) => ({ symbols: toByteCharacters(word), count }));
  /** @type {Map<string, { count: number, words: Set<number> }>} */
  const pairs = new Map();
  const addPairs = (index, sign) => {
    const { symbols, count } = words[index];
    for (let i = 0; i + 1 < symbols.length; i++) {
      const key = `${symbols[i]} ${symbols[i + 1]}`;
      let pair = pairs.get(key);
      if (!pair) pairs.set(key, (pair = { count: 0, words: new Set() }));
      pair.count += sign * count;
      if (sign > 0) pair.words.add(index);
    }
  };
  words.forEach((_, index) => addPairs(index, 1));

  const merges = [];
  const merged = new Set();
  // Two merges can give the same token, so tokens are counted.
  while (merged.size < tokenLimit) {
    let best = '';
    let bestCount = 1;
    for (const [key, { count }] of pairs) {
      if (count > bestCount || (count === bestCount && best && key < best)) [best, bestCount] = [key, count];
    }
    if (!best) break;
    const [left, right] = best.split(' ');
    merges.push([left, right]);
    merged.add(left + right);
    for (const index of pairs.get(best).words) {
      addPairs(index, -1);
      words[index].symbols = mergePair(words[index].symbols, left, right);
      addPairs(index, 1);
    }
    pairs.delete(best);
  }
  return merges;
}

/** @param {string[]} symbols @param {string} left @param {string} right */
function mergePair(symbols, left, right) {
  const merged = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      merged.push(left + right);
      i++;
    } else {
      merged.push(symbols[i]);
    }
  }
  return merged;
}

/**
 * tokenizer.json: special tokens first, then the 256 bytes, then one token per merge.
 * @param {[string, string][]} merges
 */
export function tokenizerJson(merges) {
  const tokens = [...specialTokens, ...byteCharacters.toSorted(), ...merges.map(pair => pair.join(''))];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id])),
      merges,
    },
  };
}

const TOKENIZER_CONFIG = {
  add_bos_token: false,
  add_prefix_space: false,
  bos_token: null,
  chat_template: chatTemplate,
  clean_up_tokenization_spaces: false,
  eos_token: turnEnd,
  model_max_length: 512,
  pad_token: endOfText,
  tokenizer_class: 'PreTrainedTokenizerFast',
  unk_token: null,
};

/** @param {string} file JSON Lines with a `text` each */
async function* readTexts(file) {
  for await (const line of createInterface({ input: createReadStream(file) })) yield JSON.parse(line).text;
}

/** @param {string} corpus @param {string} folder @param {number} vocabulary */
export async function trainTokenizer(corpus, folder, vocabulary) {
  const merges = findMerges(await countWords(readTexts(corpus)), vocabulary - specialTokens.length - 256);
  const json = tokenizerJson(merges);
  const size = Object.keys(json.model.vocab).length;
  if (size !== vocabulary)
    throw new Error(
      `The corpus yields ${size} tokens, not ${vocabulary}: generate more text or use a smaller vocabulary.`,
    );
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'tokenizer.json'), `${JSON.stringify(json, null, 1)}\n`);
  writeFileSync(path.join(folder, 'tokenizer_config.json'), `${JSON.stringify(TOKENIZER_CONFIG, null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [corpus, folder, vocabulary = '2048'] = process.argv.slice(2);
  if (!corpus || !folder) {
    console.error('Usage: node trainTokenizer.mjs CORPUS.jsonl FOLDER [VOCABULARY]');
    process.exit(2);
  }
  await trainTokenizer(corpus, folder, Number(vocabulary));
}
