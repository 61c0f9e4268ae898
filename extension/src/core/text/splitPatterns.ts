// How well-known models split a text before the merges: the regular expressions of their tokenizer.json. For GGUF files, which
// only have a name for them, and for boundedTokenizer.ts, since these end on any text.
const TAIL = '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';

export const SPLIT_PATTERNS = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  qwen2: `${CONTRACTIONS}|\\p{N}${TAIL}`,
  llama3: `${CONTRACTIONS}|\\p{N}{1,3}${TAIL}`,
  tekken:
    `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*` +
    '|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  digit: '\\p{N}',
  digits: '\\p{N}{1,3}',
  o200k:
    `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
    `[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
    '\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
} as const;
