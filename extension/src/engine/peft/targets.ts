// PEFT's rules for the modules that a config selects: target_modules, exclude_modules, layers_to_transform and pattern
// keys.
import { InputError } from '../../core/inputError.js';
import { withinTime } from '../../system/boundedWork.js';
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
 * @param key of the run file, for errors
 */
export function matchesTarget(
  name: string,
  target: readonly string[] | string,
  key = 'method.target_modules',
): boolean {
  if (typeof target === 'string') return fullMatch(target, name, { key });
  return target.some(entry => name === entry || name.endsWith(`.${entry}`));
}

/** PEFT's name for all linear modules but the head. */
export function isAllLinear(target: TargetConfig['target_modules']): boolean {
  return typeof target === 'string' && target.toLowerCase() === 'all-linear';
}

/** A module's value in a rank_pattern / alpha_pattern, or the fallback. @param key of the run file, for errors */
export function patternValue(patterns: Record<string, number>, name: string, fallback: number, key: string): number {
  const keys = Object.keys(patterns);
  if (keys.length > MAX_EXPRESSIONS && keys.filter(each => !WITHOUT_OPERATORS.test(each)).length > MAX_EXPRESSIONS)
    throw new InputError(`more than ${MAX_EXPRESSIONS} of its keys are regular expressions`, {
      key,
      hint: 'Write names of modules instead, of which there may be any number.',
    });
  const found = keys.find(pattern => matchesPatternKey(pattern, name, key));
  return found === undefined ? fallback : patterns[found]!;
}

/** PEFT's match of a key of rank_pattern or alpha_pattern: `(.*\.)?(key)$`. */
export function matchesPatternKey(pattern: string, name: string, key: string): boolean {
  return fullMatch(pattern, name, { before: '(.*\\.)?(', after: ')', key });
}

/** A pattern of these characters only takes no longer for a longer name. */
const WITHOUT_OPERATORS = /^[\w.-]*$/;
const MAX_PATTERN_MS = 1000;
/** Each is matched with each module of a model. */
const MAX_EXPRESSIONS = 200;
/** Far longer ones are more than JavaScript's regular expressions hold. */
const MAX_PATTERN_LENGTH = 10_000;

/**
 * Python's re.fullmatch of `before`, the pattern and `after` together.
 * @param key of the run file, for errors
 * @throws InputError on an invalid regular expression, and on one that does not end
 */
export function fullMatch(
  pattern: string,
  text: string,
  { before = '', after = '', key }: { before?: string; after?: string; key: string },
): boolean {
  if (pattern.length > MAX_PATTERN_LENGTH)
    throw new InputError(`the pattern has ${pattern.length} characters; at most ${MAX_PATTERN_LENGTH} are read`, {
      key,
    });
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${before}${pattern}${after})$`);
  } catch (error) {
    throw new InputError(`"${pattern}" is not a valid regular expression: ${(error as Error).message}`, { key });
  }
  if (WITHOUT_OPERATORS.test(pattern)) return expression.test(text);
  try {
    return withinTime(MAX_PATTERN_MS, () => expression.test(text));
  } catch (error) {
    throw new InputError(
      `the pattern "${pattern}" can't be matched with the name "${text}": ${(error as Error).message}`,
      { key, hint: 'Write it without a repetition inside a repetition, such as "(a+)+", or list the names.' },
    );
  }
}

/**
 * The linear modules that a config targets, in the model's order. As in PEFT, an entry that matches nothing is ignored
 * as long as another one matches; `unmatchedNames` finds such entries.
 * @param fallback targets if the config names none
 * @throws InputError if no module is left, or a target can't be adapted; lists the model's modules
 */
export function targetedLinears(
  config: TargetConfig,
  architecture: Architecture,
  fallback: readonly string[],
): LinearModule[] {
  const target = config.target_modules ?? fallback;
  const allLinear = isAllLinear(target);
  const layers = config.layers_to_transform ?? [];
  const listed = typeof layers === 'number' ? [layers] : layers;
  const kept = listed.length === 0 ? null : new Set(listed);
  if (kept && typeof target === 'string' && !allLinear)
    throw new InputError('layers_to_transform can’t be combined with a regular expression', {
      key: 'method.target_modules',
      hint: 'Select the layers in the regular expression, or make target_modules a list.',
    });
  if (!allLinear) checkAdaptable(target, architecture);

  const { linears, head } = architecture;
  const targeted = linears.filter(({ name }) => (allLinear ? name !== head : matchesTarget(name, target)));
  if (targeted.length === 0)
    throw new InputError(`${quoted(target)} ${plural(target) ? 'match' : 'matches'} no linear module of this model`, {
      key: 'method.target_modules',
      hint: listModules(architecture),
    });
  const savedWhole = config.modules_to_save ?? [];
  const exclude = config.exclude_modules ?? [];
  const found = targeted.filter(
    ({ name, layer }) =>
      !savedWhole.some(saved =>
        fullMatch(saved, name, { before: '(^|.*\\.)', after: '($|\\..*)', key: 'method.modules_to_save' }),
      ) &&
      (!kept || (layer !== null && kept.has(layer))) &&
      !matchesTarget(name, exclude, 'method.exclude_modules'),
  );
  if (found.length === 0)
    throw new InputError('no module is left to train', {
      key:
        kept && !targeted.some(({ layer }) => layer !== null && kept.has(layer))
          ? 'method.layers_to_transform'
          : 'method.target_modules',
      hint:
        'target_modules, layers_to_transform, exclude_modules and modules_to_save together leave none. ' +
        `${listModules(architecture)} Its layers are 0 to ${architecture.layers.length - 1}.`,
    });
  return found;
}

/**
 * PEFT adapts embeddings, too, and refuses norms. Here both are errors, so that no target is silently left out.
 * @throws InputError for a target that is a module of the model, but not a linear one
 */
function checkAdaptable(target: readonly string[] | string, { parameters, linears, embedding }: Architecture): void {
  const linear = new Set(linears.map(({ name }) => name));
  for (const { name: parameter, kind } of parameters) {
    const module = parameter.slice(0, parameter.lastIndexOf('.'));
    if (linear.has(module)) continue;
    // A regular expression may match norms along with linear modules; only for an embedding would PEFT train more.
    const named =
      typeof target === 'string'
        ? kind === 'embedding' && matchesTarget(module, target)
        : matchesTarget(module, target);
    if (named)
      throw new InputError(`"${module}" is not a linear module, so it can’t be adapted`, {
        key: 'method.target_modules',
        hint:
          module === embedding
            ? `In a new run, train it completely: add "${module.split('.').at(-1)}" to modules_to_save instead. Merge an ` +
              'adapter that has it with PEFT.'
            : 'Remove it from target_modules.',
      });
  }
}

function plural(target: readonly string[] | string): boolean {
  return typeof target !== 'string' && target.length > 1;
}

function quoted(target: readonly string[] | string): string {
  return (typeof target === 'string' ? [target] : target).map(entry => `"${entry}"`).join(', ');
}

/**
 * The `target_modules` of adapter_config.json, for a method whose default targets are LoRA's. For "all-linear", PEFT
 * writes the full names of the modules.
 */
export function savedTargets(target: TargetConfig['target_modules'], architecture: Architecture): string | string[] {
  if (isAllLinear(target)) return targetedLinears({ target_modules: target }, architecture, []).map(({ name }) => name);
  const targets = target ?? architecture.defaultTargets.lora;
  return typeof targets === 'string' ? targets : [...targets];
}

/** For hints. */
export function listModules(architecture: Architecture): string {
  const names = new Set(architecture.linears.map(module => module.name.split('.').at(-1)!));
  const example = architecture.linears[0]!.name;
  return `The model has ${[...names].join(', ')}; a full name is, for example, "${example}".`;
}
