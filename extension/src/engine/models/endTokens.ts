// The tokens that end an answer of a model on disk, and the generation_config.json that says so. Called by generation and by
// writeModelFolder.ts.
import { InputError } from '../../core/inputError.js';
import { endTokenIds } from '../../core/text/endTokens.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { withinTime } from '../../system/boundedWork.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { ModelOnDisk } from './modelOnDisk.js';

/** Ids of the tokenizer's eos, of generation_config.json (else config.json), and of the end of the assistant's turn. */
export function endTokensOf({ tokenizer, files }: Pick<ModelOnDisk, 'tokenizer' | 'files'>): number[] {
  return endTokenIds(tokenizer, configured(files));
}

/** The model's generation_config.json with all tokens that end an answer; null if it has none and needs none. */
export function generationConfigOf(files: ModelFiles): Record<string, unknown> | null {
  const { generationConfig, config } = files;
  const known = configured(files);
  const ids = endTokensOfFiles(files);
  if (ids.every(id => (Array.isArray(known) ? known.includes(id) : id === known))) return generationConfig;
  const { bos_token_id: bos, pad_token_id: pad } = config;
  return { bos_token_id: bos, pad_token_id: pad, ...generationConfig, eos_token_id: ids.length > 1 ? ids : ids[0] };
}

/** None if there is no tokenizer, or none that can be used here: merging doesn't need it. */
function endTokensOfFiles(files: ModelFiles): number[] {
  if (!files.tokenizer) return [];
  try {
    return endTokensOf({ tokenizer: createTokenizer(files.tokenizer, withinTime), files });
  } catch (error) {
    if (error instanceof InputError) return [];
    throw error;
  }
}

function configured({ generationConfig, config }: ModelFiles): unknown {
  return generationConfig?.['eos_token_id'] ?? config['eos_token_id'] ?? [];
}
