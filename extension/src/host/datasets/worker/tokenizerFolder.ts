// Builds the tokenizer of a model folder from its JSON files, as the engine does. Called by the dataset worker;
// tokenizers are kept while the worker lives, since building one takes longer than tokenizing most datasets.
import { join } from 'node:path';
import { InputError } from '../../../core/inputError.js';
import { absentTokenizer } from '../../../core/text/absentTokenizer.js';
import { createTokenizer } from '../../../core/text/huggingFaceTokenizer.js';
import { withinTime } from '../../../system/boundedWork.js';
import { MAX_TEMPLATE_BYTES, namesIn, readText } from '../../../system/regularFile.js';
import type { TextTokenizer } from '../../../core/text/textTokenizer.js';
import { readTokenizerFolder } from '../../../core/text/tokenizerFolder.js';

const opened = new Map<string, TextTokenizer>();

/** @throws InputError if the folder has no usable tokenizer */
export function tokenizerOfFolder(folder: string): TextTokenizer {
  let tokenizer = opened.get(folder);
  if (!tokenizer) {
    const files = readTokenizerFolder({
      json: name => readJson(join(folder, name)),
      text: name => readText(join(folder, name), 'follow', MAX_TEMPLATE_BYTES),
      names: name => namesIn(join(folder, name)),
    });
    tokenizer = files ? createTokenizer(files, withinTime) : absentTokenizer(folder, namesIn(folder));
    opened.set(folder, tokenizer);
  }
  return tokenizer;
}

function readJson(path: string): Record<string, unknown> | null {
  const text = readText(path);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new InputError(`invalid JSON: ${(error as Error).message}`, { file: path });
  }
}
