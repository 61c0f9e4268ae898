// Names in a method's config that match nothing in the model. PEFT ignores them, so that one list of targets serves
// several families; in a new run they are often typing errors. Called before training and by the estimate, which report
// them. They are not reported for a saved adapter.
import type { Architecture } from '../models/architecture.js';
import { AttachedMethod } from './attachedMethod.js';
import { isFeedForward } from './ia3.js';
import { savedWhole } from './replacedParameters.js';
import { isAllLinear, listModules, matchesPatternKey, matchesTarget, type TargetConfig } from './targets.js';

/** The names of one key that match nothing. */
export interface UnmatchedNames {
  /** Key of the run file, such as `method.target_modules`. */
  key: string;
  message: string;
}

type SelectingConfig = Partial<TargetConfig> & {
  feedforward_modules?: readonly string[] | string | null;
  rank_pattern?: Record<string, number>;
  alpha_pattern?: Record<string, number>;
};

export function unmatchedNames(attached: AttachedMethod): UnmatchedNames[] {
  const { method, architecture } = attached;
  const config = attached.config as SelectingConfig;
  const adapted = adaptedNames(attached);
  const beforeExclusion = () =>
    adaptedNames(new AttachedMethod(method, { ...config, exclude_modules: null }, architecture));
  const layers = config.layers_to_transform ?? [];
  const found: Record<string, string[]> = {
    target_modules: unmatched(
      config.target_modules,
      architecture.linears.map(({ name }) => name),
    ),
    feedforward_modules: unmatched(config.feedforward_modules, adapted, isFeedForward),
    exclude_modules: config.exclude_modules ? unmatched(config.exclude_modules, beforeExclusion()) : [],
    layers_to_transform: (typeof layers === 'number' ? [layers] : layers)
      .filter(layer => layer >= architecture.layers.length)
      .map(String),
    modules_to_save: (config.modules_to_save ?? []).filter(name => savedWhole([name], architecture).length === 0),
  };
  for (const key of ['rank_pattern', 'alpha_pattern'] as const)
    found[key] = Object.keys(config[key] ?? {}).filter(
      pattern => !adapted.some(name => matchesPatternKey(pattern, name, `method.${key}`)),
    );
  return Object.entries(found)
    .filter(([, names]) => names.length > 0)
    .map(([key, names]) => ({ key: `method.${key}`, message: messageOf(key, names, architecture) }));
}

function adaptedNames({ placement }: AttachedMethod): string[] {
  return [...(placement.linear?.keys() ?? [])];
}

/** Entries that match none of the names; a regular expression is one entry, a target's always matches something. */
function unmatched(
  entries: readonly string[] | string | null | undefined,
  names: readonly string[],
  matches: (name: string, target: readonly string[] | string) => boolean = matchesTarget,
): string[] {
  if (!entries || isAllLinear(entries)) return [];
  const list = typeof entries === 'string' ? [entries] : entries;
  return list.filter(entry => !names.some(name => matches(name, typeof entries === 'string' ? entry : [entry])));
}

function messageOf(key: string, names: readonly string[], architecture: Architecture): string {
  const quoted = names.map(name => `"${name}"`).join(', ');
  const match = names.length === 1 ? 'matches' : 'match';
  if (key === 'layers_to_transform')
    return `layers_to_transform: ignored ${names.join(', ')}, since the model has layers 0 to ${architecture.layers.length - 1}`;
  const what = key === 'target_modules' || key === 'modules_to_save' ? 'module of this model' : 'target module';
  return `${key}: ${quoted} ${match} no ${what} and ${names.length === 1 ? 'is' : 'are'} ignored. ${listModules(architecture)}`;
}
