// Named groups of sampling options, and the form of the variables that a chat template reads. Pure; used by the playground.
import type { JsonProperties, JsonSchema } from '../forms/jsonSchema.js';
import { samplingSchema, type Sampling } from '../../protocol/sampling.js';

export interface Preset {
  name: string;
  help: string;
  /** Keys that are not listed have their default. */
  sampling: Partial<Sampling>;
}

export const PRESETS: readonly Preset[] = [
  { name: 'Precise', help: 'Always the most likely token; the same answer every time', sampling: {} },
  {
    name: 'Balanced',
    help: 'Some variety, without unlikely tokens',
    sampling: { temperature: 0.7, top_p: 0.9, repetition_penalty: 1.05 },
  },
  {
    name: 'Creative',
    help: 'Much variety; tokens that are very unlikely are left out',
    sampling: { temperature: 1.1, min_p: 0.05, presence_penalty: 0.3 },
  },
];

/** Keys that a preset leaves as they are: they say how long and which answer, not how varied. */
const OWN_KEYS = ['max_new_tokens', 'seed', 'stop'] as const satisfies (keyof Sampling)[];

/** The options with those of a preset. */
export function withPreset(sampling: Partial<Sampling>, preset: Preset): Sampling {
  const own = Object.fromEntries(OWN_KEYS.flatMap(key => (key in sampling ? [[key, sampling[key]]] : [])));
  return samplingSchema.parse({ ...own, ...preset.sampling });
}

/** The preset with these options; null: the user's own. */
export function presetOf(sampling: Partial<Sampling>): Preset | null {
  const all = samplingSchema.parse(sampling);
  const keys = (Object.keys(all) as (keyof Sampling)[]).filter(key => !(OWN_KEYS as readonly string[]).includes(key));
  return PRESETS.find(preset => keys.every(key => withPreset(all, preset)[key] === all[key])) ?? null;
}

const TEMPLATE_DEFAULT = 'template’s default';
const SWITCH = /^(?:enable|disable|use|add|include|keep|skip|is|has|preserve)_|_(?:mode|enabled)$|^thinking$/;

/** A switch or a field for each variable; an empty field and the first choice leave the variable undefined. */
export function variablesSchema(names: readonly string[]): JsonSchema {
  const properties: JsonProperties = Object.fromEntries(
    names.map(name => [
      name,
      SWITCH.test(name)
        ? { title: name, enum: [TEMPLATE_DEFAULT, 'true', 'false'], default: TEMPLATE_DEFAULT }
        : { title: name, type: 'string', default: '', description: 'Text, or JSON such as [1, 2] or {"a": 1}' },
    ]),
  );
  return { type: 'object', properties };
}

/** @param values of a form of `variablesSchema` */
export function variablesOf(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const written = Object.entries(values).filter(([, value]) => value !== '' && value !== TEMPLATE_DEFAULT);
  return Object.fromEntries(written.map(([name, value]) => [name, valueOf(String(value))]));
}

/** The reverse of `variablesOf`. */
export function valuesOf(variables: Readonly<Record<string, unknown>>): Record<string, string> {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, text(value)]));
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
