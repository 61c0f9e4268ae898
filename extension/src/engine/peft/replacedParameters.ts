// Trainable stand-ins for whole base parameters: what SELECTIVE and FULL train, and PEFT's `modules_to_save` and `bias`.
import { InputError } from '../../core/inputError.js';
import type { Architecture, ParameterSpec } from '../models/architecture.js';
import type { TrainableSpec } from './method.js';

/** Prefix of every module name in PEFT's files. */
export const PEFT_PREFIX = 'base_model.model.';

/** A parameter trained under its own name; where embedding and head are tied, it stands in for both. */
export function trainedParameter(parameter: ParameterSpec, architecture: Architecture): TrainableSpec {
  const tied = architecture.tieWordEmbeddings && parameter.name === `${architecture.embedding}.weight`;
  return {
    key: parameter.name,
    shape: parameter.shape,
    init: { kind: 'base', name: parameter.name },
    replaces: tied ? [parameter.name, `${architecture.head}.weight`] : [parameter.name],
  };
}

/**
 * PEFT's `modules_to_save`: a trained copy of each named module. A tied head or embedding gets a copy of its own, the
 * other one stays as it was (as PEFT does without `ensure_weight_tying`).
 * @throws InputError on a name that matches no module
 */
export function modulesToSave(names: readonly string[] | null, architecture: Architecture): TrainableSpec[] {
  if (!names) return [];
  const parameters = [...architecture.parameters];
  const head = `${architecture.head}.weight`;
  if (!parameters.some(parameter => parameter.name === head)) {
    const shape = [architecture.vocabSize, architecture.hiddenSize];
    parameters.push({ name: head, shape, kind: 'linear', layer: null });
  }
  // Unlike target_modules, PEFT compares these names by their end alone: "norm" is input_layernorm too.
  const isNamed = (module: string, names: readonly string[]) => names.some(name => module.endsWith(name));
  const ownModules = (parameter: string) => {
    const parts = parameter.split('.').slice(0, -1);
    return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
  };
  for (const name of names)
    if (!parameters.some(parameter => ownModules(parameter.name).some(module => isNamed(module, [name]))))
      throw new InputError(`"${name}" matches no module of this model`, {
        key: 'method.modules_to_save',
        hint: `Modules are named as in ${architecture.embedding}, ${architecture.linears[0]!.name}, ${architecture.head}.`,
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
 * PEFT's `bias`: "all" trains every parameter named bias, "adapted" ("lora_only" and the like) those of the adapted modules.
 * @param adapted modules that PEFT wraps, whose own parameters it therefore finds under `base_layer`
 */
export function trainedBiases(
  bias: 'none' | 'all' | 'adapted',
  adapted: ReadonlySet<string>,
  architecture: Architecture,
): TrainableSpec[] {
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

/** In words which whole parameters a config trains beside its own tensors; null: none. */
export function trainedWhole(config: { bias?: string; modules_to_save: readonly string[] | null }): string | null {
  if (config.modules_to_save) return `a module saved whole (modules_to_save: ${config.modules_to_save.join(', ')})`;
  return (config.bias ?? 'none') === 'none' ? null : `trained biases (bias: "${config.bias}")`;
}
