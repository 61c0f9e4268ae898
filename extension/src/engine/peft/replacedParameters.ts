// Trainable tensors that replace whole base parameters: those of SELECTIVE and FULL, and PEFT's `modules_to_save` and
// `bias`.
import { InputError } from '../../core/inputError.js';
import type { Architecture, ParameterSpec } from '../models/architecture.js';
import type { TensorSpec } from './method.js';

/** Prefix of every module name in PEFT's files. */
export const PEFT_PREFIX = 'base_model.model.';

/** A parameter trained under its own name; a tied embedding replaces the head, too. */
export function trainedParameter(parameter: ParameterSpec, architecture: Architecture): TensorSpec {
  const tied = architecture.tieWordEmbeddings && parameter.name === `${architecture.embedding}.weight`;
  return {
    key: parameter.name,
    shape: parameter.shape,
    init: { kind: 'base', name: parameter.name },
    replaces: tied ? [parameter.name, `${architecture.head}.weight`] : [parameter.name],
  };
}

/**
 * PEFT's `modules_to_save`: a trained copy of each named module. Of a tied head and embedding, only the named one is
 * copied, and the other one isn't changed (as in PEFT without `ensure_weight_tying`).
 * @throws InputError on a name that matches no module
 */
export function modulesToSave(names: readonly string[] | null, architecture: Architecture): TensorSpec[] {
  if (!names) return [];
  const parameters = [...architecture.parameters];
  const head = `${architecture.head}.weight`;
  if (!parameters.some(parameter => parameter.name === head)) {
    const shape = [architecture.vocabSize, architecture.hiddenSize];
    parameters.push({ name: head, shape, kind: 'linear', layer: null });
  }
  // Unlike target_modules, PEFT matches these names by any suffix: "norm" also matches input_layernorm.
  const isNamed = (module: string, names: readonly string[]) => names.some(name => module.endsWith(name));
  const ownModules = (parameter: string) => {
    const parts = parameter.split('.').slice(0, -1);
    return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
  };
  for (const name of names)
    if (!parameters.some(parameter => ownModules(parameter.name).some(module => isNamed(module, [name]))))
      throw new InputError(`"${name}" matches no module of this model`, {
        key: 'method.modules_to_save',
        hint: `Examples of module names: ${architecture.embedding}, ${architecture.linears[0]!.name}, ${architecture.head}.`,
      });
  return parameters
    .filter(parameter => ownModules(parameter.name).some(module => isNamed(module, names)))
    .map(parameter => ({
      key: PEFT_PREFIX + parameter.name,
      shape: parameter.shape,
      init: { kind: 'base', name: parameter.name },
      replaces: [parameter.name],
    }));
}

/**
 * PEFT's `bias`: "all" trains all parameters named bias, "adapted" ("lora_only" and similar) those of the adapted
 * modules.
 * @param adapted modules that PEFT wraps, so that their own parameters are under `base_layer`
 */
export function trainedBiases(
  bias: 'none' | 'all' | 'adapted',
  adapted: ReadonlySet<string>,
  architecture: Architecture,
): TensorSpec[] {
  if (bias === 'none') return [];
  return architecture.parameters.flatMap(parameter => {
    if (!parameter.name.endsWith('.bias')) return [];
    const module = parameter.name.slice(0, -'.bias'.length);
    const wrapped = adapted.has(module);
    if (bias === 'adapted' && !wrapped) return [];
    const key = `${PEFT_PREFIX}${module}${wrapped ? '.base_layer' : ''}.bias`;
    return [{ key, shape: parameter.shape, init: { kind: 'base', name: parameter.name }, replaces: [parameter.name] }];
  });
}

/** A text that names the whole parameters that a config trains in addition to its own tensors; null if none. */
export function trainedWhole(config: { bias?: string; modules_to_save: readonly string[] | null }): string | null {
  if (config.modules_to_save) return `a module saved whole (modules_to_save: ${config.modules_to_save.join(', ')})`;
  return (config.bias ?? 'none') === 'none' ? null : `trained biases (bias: "${config.bias}")`;
}
