// The model families, by Transformers' `model_type`. A new family is one file in families/ and one line here.
import { InputError } from '../../core/inputError.js';
import type { Architecture, ModelFamily } from './architecture.js';
import { checkRefusedKeys, unknownKeys } from './configKeys.js';
import { gpt2 } from './families/gpt2.js';
import { llama } from './families/llama.js';
import { mistral } from './families/mistral.js';
import { qwen2 } from './families/qwen2.js';
import { qwen3 } from './families/qwen3.js';
import { withParameters } from './modelParameters.js';

export const modelFamilies: readonly ModelFamily[] = [llama, mistral, qwen2, qwen3, gpt2];

/** Something about a model that its user should know. */
export interface ModelWarning {
  code: string;
  message: string;
}

/**
 * The architecture that a config.json describes.
 * @throws InputError on an unknown `model_type`, and on a key or value that is not supported
 */
export function architectureOf(config: Record<string, unknown>, file: string): Architecture {
  const family = familyOf(config, file);
  checkRefusedKeys(config, family.keys, file);
  checkHead(config, file);
  return withParameters(family.describe(config, file));
}

/** What `architectureOf` leaves out of account. */
export function configWarnings(config: Record<string, unknown>, file: string): ModelWarning[] {
  const { keys, causalLm, modelType } = familyOf(config, file);
  const warnings: ModelWarning[] = [];
  const unknown = unknownKeys(config, keys);
  if (unknown.length > 0)
    warnings.push({
      code: 'config_keys_unknown',
      message: `${file}: ignored ${unknown.length === 1 ? 'a key' : 'keys'} unknown to ${modelType} models: ${unknown.join(', ')}`,
    });
  const architectures = architecturesIn(config);
  if (architectures.length > 0 && !architectures.includes(causalLm))
    warnings.push({
      code: 'config_architecture',
      message: `${file}: computed as ${causalLm}, as model_type says, although architectures is ${architectures.join(', ')}`,
    });
  if (config['auto_map'])
    warnings.push({
      code: 'config_custom_code',
      message: `${file}: the model's own code (auto_map) is not run; it is computed as ${causalLm}`,
    });
  return warnings;
}

function familyOf(config: Record<string, unknown>, file: string): ModelFamily {
  const family = modelFamilies.find(candidate => candidate.modelType === config['model_type']);
  if (!family) {
    throw new InputError(`model_type ${JSON.stringify(config['model_type'] ?? null)} is not supported`, {
      file,
      hint: `Supported: ${modelFamilies.map(candidate => candidate.modelType).join(', ')}.`,
    });
  }
  return family;
}

function architecturesIn({ architectures }: Record<string, unknown>): string[] {
  return Array.isArray(architectures) ? architectures.filter(name => typeof name === 'string') : [];
}

/** Transformers' classes with a language model's head, or without any head. */
const LANGUAGE_MODEL = /(ForCausalLM|LMHeadModel|DoubleHeadsModel|(?<!Reward)Model)$/i;

/** @throws InputError if the model was trained with another head, such as a classifier's */
function checkHead(config: Record<string, unknown>, file: string): void {
  const architectures = architecturesIn(config);
  if (architectures.length === 0 || architectures.some(name => LANGUAGE_MODEL.test(name))) return;
  throw new InputError(`${architectures.join(', ')} is not a language model`, {
    ...{ file, key: 'architectures' },
    hint: 'Use the language model that it was made from.',
  });
}
