// PEFT's rules for the modules that a config selects: target_modules, exclude_modules, layers_to_transform and pattern
// keys.
import { InputError } from '../../core/inputError.js';
import type { Architecture, LinearModule } from '../models/architecture.js';

export interface TargetConfig {
  target_modules: readonly string[] | string | null;
  exclude_modules?: readonly string[] | string | null;
  layers_to_transform?: readonly number[] | number | null;
  /** These modules and their children are trained completely and are never targets. */
  modules_to_save?: readonly string[] | null;
}

/**
 * A list entry matches a module by its full name or its last parts; a string is a regular expression for the full name.
 */
export function matchesTarget(name: string, target: readonly string[] | string): boolean {
  if (typeof target === 'string') return fullMatch(target, name);
  return target.some(entry => name === entry || name.endsWith(`.${entry}`));
}

/** A module's value in a rank_pattern / alpha_pattern, or the fallback. Keys match `(.*\.)?(key)$`. */
export function patternValue(pattern: Record<string, number>, name: string, fallback: number): number {
  const key = Object.keys(pattern).find(candidate => fullMatch(`(.*\\.)?(${candidate})`, name));
  return key === undefined ? fallback : pattern[key]!;
}

/** Python's re.fullmatch. @throws InputError on an invalid regular expression */
export function fullMatch(pattern: string, text: string): boolean {
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw new InputError(`"${pattern}" is not a valid regular expression: ${(error as Error).message}`, {
      key: 'method',
    });
  }
  return expression.test(text);
}

/**
 * The linear modules that a config targets, in the model's order.
 * @param fallback targets if the config names none
 * @throws InputError on a name that matches nothing; lists the model's modules
 */
export function targetedLinears(
  config: TargetConfig,
  architecture: Architecture,
  fallback: readonly string[],
): LinearModule[] {
  const target = config.target_modules ?? fallback;
  const layers = config.layers_to_transform ?? [];
  const listed = typeof layers === 'number' ? [layers] : layers;
  const kept = listed.length === 0 ? null : new Set(listed);
  if (kept && typeof target === 'string' && target !== 'all-linear')
    throw new InputError('layers_to_transform can’t be combined with a regular expression', {
      key: 'method.target_modules',
      hint: 'Select the layers in the regular expression, or make target_modules a list.',
    });
  for (const layer of kept ?? [])
    if (layer < 0 || layer >= architecture.layers.length)
      throw new InputError(`layer ${layer} does not exist`, {
        key: 'method.layers_to_transform',
        hint: `The model has layers 0 to ${architecture.layers.length - 1}.`,
      });

  let found: LinearModule[];
  if (target === 'all-linear') {
    found = architecture.linears.filter(module => module.name !== architecture.head);
  } else {
    for (const entry of typeof target === 'string' ? [target] : target)
      if (
        !architecture.linears.some(module => matchesTarget(module.name, typeof target === 'string' ? entry : [entry]))
      )
        throw unmatched(entry, 'method.target_modules', architecture);
    found = architecture.linears.filter(module => matchesTarget(module.name, target));
  }
  const savedWhole = config.modules_to_save ?? [];
  found = found.filter(({ name }) => !savedWhole.some(saved => fullMatch(`(^|.*\\.)${saved}($|\\..*)`, name)));
  if (kept) found = found.filter(module => module.layer !== null && kept.has(module.layer));
  const exclude = config.exclude_modules;
  if (exclude) {
    for (const entry of typeof exclude === 'string' ? [exclude] : exclude)
      if (!found.some(module => matchesTarget(module.name, typeof exclude === 'string' ? entry : [entry])))
        throw unmatched(entry, 'method.exclude_modules', architecture);
    found = found.filter(module => !matchesTarget(module.name, exclude));
  }
  if (found.length === 0)
    throw new InputError('no module is left to train', {
      key: 'method.target_modules',
      hint: `target_modules, layers_to_transform and exclude_modules together leave none. ${listModules(architecture)}`,
    });
  return found;
}

/**
 * The `target_modules` of adapter_config.json, for a method whose default targets are LoRA's. For "all-linear", PEFT
 * writes the full names of the modules.
 */
export function savedTargets(target: TargetConfig['target_modules'], architecture: Architecture): string | string[] {
  if (target === 'all-linear')
    return targetedLinears({ target_modules: target }, architecture, []).map(({ name }) => name);
  const targets = target ?? architecture.defaultTargets.lora;
  return typeof targets === 'string' ? targets : [...targets];
}

function unmatched(entry: string, key: string, architecture: Architecture): InputError {
  return new InputError(`"${entry}" matches no linear module of this model`, {
    key,
    hint: listModules(architecture),
  });
}

function listModules(architecture: Architecture): string {
  const names = new Set(architecture.linears.map(module => module.name.split('.').at(-1)!));
  const example = architecture.linears[0]!.name;
  return `The model has ${[...names].join(', ')}; a full name is, for example, "${example}".`;
}
