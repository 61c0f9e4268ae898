// Trainable tensors that replace whole base parameters: those of SELECTIVE and FULL, and PEFT's `modules_to_save` and
// `bias`.
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
 * copied, and the other one isn't changed (as in PEFT without `ensure_weight_tying`). As in PEFT, a name that matches no
 * module is ignored.
 */
export function modulesToSave(names: readonly string[] | null, architecture: Architecture): TensorSpec[] {
  return savedWhole(names ?? [], architecture).map(parameter => ({
    key: PEFT_PREFIX + parameter.name,
    shape: parameter.shape,
    init: { kind: 'base', name: parameter.name },
    replaces: [parameter.name],
  }));
}

/** The parameters of the named modules, a tied head's included. */
export function savedWhole(names: readonly string[], architecture: Architecture): ParameterSpec[] {
  const parameters = [...architecture.parameters];
  const head = `${architecture.head}.weight`;
  if (!parameters.some(parameter => parameter.name === head)) {
    const shape = [architecture.vocabSize, architecture.hiddenSize];
    parameters.push({ name: head, shape, kind: 'linear', layer: null });
  }
  return parameters.filter(parameter => {
    const parts = parameter.name.split('.').slice(0, -1);
    // Unlike target_modules, PEFT matches these names by any suffix: "norm" also matches input_layernorm.
    return parts.some((_, i) =>
      names.some(name =>
        parts
          .slice(0, i + 1)
          .join('.')
          .endsWith(name),
      ),
    );
  });
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
