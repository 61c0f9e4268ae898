// The names by which a request or a person chooses who answers: the base's own name or `base`, an adapter's name, a mixture such
// as `A:0.7+B:0.3`. Also NAME=PATH of the command line. The only place that knows how such names are written.
import { InputError } from '../../core/inputError.js';
import { MAX_STRENGTH, mixtureSchema, type Mixture } from '../../protocol/sessionMessages.js';
import { BASE, type Session } from '../generation/session.js';
import type { NamedAdapter } from '../run/openSession.js';

const DECIMAL = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i;

/** What names need of a session. */
export type NamedModels = Pick<Session, 'facts' | 'adapters'>;

/** `+` and `:` are for mixtures, `=` for the command line; a leading `/` would be a command of `chat`. */
const ADAPTER_NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.@/-]{0,127}$/u;

/** The names that a request may have; the base's own is the first. */
export function modelNames(models: NamedModels): string[] {
  return [...new Set([models.facts.model, BASE, ...models.adapters().map(({ name }) => name)])];
}

/**
 * Who answers; empty: the base alone.
 * @returns null if a name is unknown
 * @throws InputError for a strength that isn't allowed
 */
export function mixtureOf(name: string, models: NamedModels): Mixture | null {
  const adapters = new Set(models.adapters().map(adapter => adapter.name));
  if (name === models.facts.model || name === BASE) return [];
  if (adapters.has(name)) return [{ name, weight: 1 }];
  const parts = name.split('+').map(part => {
    const [, adapter = part, weight = '1'] = /^(.*):([^:]*)$/.exec(part) ?? [];
    return { name: adapter, weight: DECIMAL.test(weight) ? Number(weight) : NaN };
  });
  if (!parts.every(part => adapters.has(part.name))) return null;
  const mixture = mixtureSchema.safeParse(parts);
  // A name that is repeated has the sum.
  const total = (adapter: string) => parts.reduce((sum, part) => sum + (part.name === adapter ? part.weight : 0), 0);
  if (mixture.success && parts.every(part => total(part.name) <= MAX_STRENGTH)) return mixture.data;
  throw new InputError(`"${name}" has a strength that is not a number from 0 to ${MAX_STRENGTH}`, {
    key: 'model',
    hint: 'Write a mixture as A:0.7+B:0.3.',
  });
}

/** The name of a mixture, as `mixtureOf` reads it. */
export function nameOf(mixture: Mixture): string {
  if (mixture.length === 0) return BASE;
  return mixture.map(({ name, weight }) => (weight === 1 ? name : `${name}:${weight}`)).join('+');
}

/** @throws InputError for a name that could not be told from a mixture or the base */
export function checkAdapterName(name: string, key: string): void {
  if (name === BASE)
    throw new InputError(`"${BASE}" always means the base model`, { key, hint: 'Choose another name.' });
  if (ADAPTER_NAME.test(name)) return;
  throw new InputError(`"${name}" can't be the name of an adapter`, {
    key,
    hint: 'A name has up to 128 letters, digits, and _ . @ / -, and begins with a letter, a digit or _.',
  });
}

/** Reads the values of `--adapter`. @throws InputError if one is not NAME=PATH, or two have one name */
export function namedAdapters(values: readonly string[]): NamedAdapter[] {
  const key = '--adapter';
  const adapters = new Map<string, NamedAdapter>();
  for (const value of values) {
    const at = value.indexOf('=');
    const [name, path] = [value.slice(0, at), value.slice(at + 1)];
    if (at < 1 || path === '')
      throw new InputError(`"${value}" is not NAME=PATH`, {
        key,
        hint: 'For example: --adapter pirate=runs/pirate/adapter',
      });
    checkAdapterName(name, key);
    if (adapters.has(name)) throw new InputError(`two adapters have the name "${name}"`, { key });
    adapters.set(name, { name, path });
  }
  return [...adapters.values()];
}
