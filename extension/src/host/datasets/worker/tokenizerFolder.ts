// Builds the tokenizer of a model folder from its JSON files, as the engine does. Called by the dataset worker;
// tokenizers are kept while the worker lives, since building one takes longer than tokenizing most datasets.
import { join } from 'node:path';
import { InputError } from '../../../core/inputError.js';
import { createTokenizer } from '../../../core/text/huggingFaceTokenizer.js';
import { MAX_TEMPLATE_BYTES, readText } from '../../../system/regularFile.js';
import type { TextTokenizer } from '../../../core/text/textTokenizer.js';

const opened = new Map<string, TextTokenizer>();

/** @throws InputError if the folder has no usable tokenizer */
export function tokenizerOfFolder(folder: string): TextTokenizer {
  let tokenizer = opened.get(folder);
  if (!tokenizer) {
    const json = readJson(join(folder, 'tokenizer.json'));
    if (!json) throw new InputError('tokenizer.json is missing', { file: folder });
    const config = readJson(join(folder, 'tokenizer_config.json')) ?? {};
    const template = templateFile(folder);
    tokenizer = createTokenizer({
      tokenizer: json,
      config: template === undefined ? config : { ...config, chat_template: template },
    });
    opened.set(folder, tokenizer);
  }
  return tokenizer;
}

/** A separate template file takes precedence over tokenizer_config.json. */
function templateFile(folder: string): unknown {
  const jinja = readText(join(folder, 'chat_template.jinja'), 'follow', MAX_TEMPLATE_BYTES);
  return jinja ?? readJson(join(folder, 'chat_template.json'))?.chat_template;
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
