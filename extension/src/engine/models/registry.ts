// The model families, by Transformers' `model_type`. A new family is one file in families/ and one line here.
import { InputError } from '../../core/inputError.js';
import type { Architecture, ModelFamily } from './architecture.js';
import { gpt2 } from './families/gpt2.js';
import { llama } from './families/llama.js';
import { mistral } from './families/mistral.js';
import { qwen2 } from './families/qwen2.js';
import { qwen3 } from './families/qwen3.js';
import { withParameters } from './modelParameters.js';

export const modelFamilies: readonly ModelFamily[] = [llama, mistral, qwen2, qwen3, gpt2];

/**
 * The architecture that a config.json describes.
 * @throws InputError on an unknown `model_type`; lists the supported ones
 */
export function architectureOf(config: Record<string, unknown>, file: string): Architecture {
  const family = modelFamilies.find(candidate => candidate.modelType === config['model_type']);
  if (!family) {
    throw new InputError(`model_type ${JSON.stringify(config['model_type'] ?? null)} is not supported`, {
      file,
      hint: `Supported: ${modelFamilies.map(candidate => candidate.modelType).join(', ')}.`,
    });
  }
  return withParameters(family.describe(config, file));
}
