// From a zod schema to a JSON schema, and from what zod finds wrong with a value to sentences that say what is allowed. Used for
// run files and for the configs of adapters and models.
import { distance } from 'fastest-levenshtein';
import * as z from 'zod';
import { InputError } from '../inputError.js';
import { expected, JSON_WORDS } from './formField.js';
import { alternatives, type JsonSchema } from './jsonSchema.js';

/** The input of a zod schema, in which keys with a default are optional. Draft 7 has the best support in editors. */
export function inputJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }) as JsonSchema;
}

/** What is wrong with the value of a key. */
interface SchemaFault {
  /** Its path in the value, with dots; may be empty. */
  key: string;
  message: string;
  /** The description of the key, as a sentence. */
  hint?: string;
}

/**
 * @param error of parsing `value` by `schema`
 * @param block the key of the file that has the value; null for the whole file
 * @param otherKeys keys of the value that another schema reads
 */
export function schemaError(
  error: z.ZodError,
  schema: z.ZodType,
  value: unknown,
  {
    block = null,
    otherKeys = [],
    ...place
  }: { file: string; line?: number; block?: string | null; otherKeys?: readonly string[] },
): InputError {
  const json = inputJsonSchema(schema);
  const faults = error.issues.flatMap(issue => faultsOf(issue, json, value, otherKeys));
  // A value may break several rules of its key, which are all in one sentence.
  const told = [...new Map(faults.map(fault => [fault.key + fault.message, fault])).values()];
  const keyOf = ({ key }: SchemaFault) => [block, key].filter(Boolean).join('.');
  const [first, ...others] = told as [SchemaFault, ...SchemaFault[]];
  const lines = others.map(fault => `${keyOf(fault)}: ${fault.message}`);
  const hint = lines.length === 0 ? first.hint : undefined;
  return new InputError([first.message, ...lines].join('\n  '), { ...place, key: keyOf(first) || undefined, hint });
}

function faultsOf(
  issue: z.core.$ZodIssue,
  schema: JsonSchema,
  value: unknown,
  otherKeys: readonly string[],
): SchemaFault[] {
  const path = issue.path.map(String);
  const key = path.join('.');
  const allowed = schemaAt(schema, path, value);
  if (issue.code === 'unrecognized_keys') {
    const known = [...Object.keys(allowed?.properties ?? {}), ...(path.length === 0 ? otherKeys : [])];
    return issue.keys.map(unknown => ({
      key: [...path, unknown].join('.'),
      message: `unknown key "${unknown}"; ${suggestion(unknown, known)}`,
    }));
  }
  // `custom`: a rule of the schema's own, about several keys.
  if (issue.code === 'custom' || !allowed) return [{ key, message: issue.message }];
  const found = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | null)?.[part], value);
  const hint = allowed.description && `${allowed.description}.`;
  // A pattern with words of its own, which say more than that it must be text.
  if (issue.code === 'invalid_format' && issue.message.startsWith('Expected ')) {
    const shown = /:\/\/.*@/.test(String(found)) ? 'one with a login' : shortJson(found);
    const orNull = alternatives(allowed).some(({ type }) => type === 'null') ? ', or null' : '';
    return [{ key, message: `must be ${issue.message.slice('Expected '.length)}${orNull}, not ${shown}`, hint }];
  }
  const must = `must be ${expected(allowed, JSON_WORDS)}`;
  const message = found === undefined ? `is missing; ${must}` : `${must}, not ${shortJson(found)}`;
  return [{ key, message, hint }];
}

/** The part of a schema for the value at a path. */
function schemaAt(schema: JsonSchema, path: readonly string[], whole: unknown): JsonSchema | undefined {
  let at: JsonSchema | undefined = schema;
  let value = whole;
  for (const part of path) {
    const next: JsonSchema[] = matching(at ? alternatives(at) : [], value).flatMap(
      ({ properties, items, additionalProperties }) => {
        const values = typeof additionalProperties === 'object' ? additionalProperties : undefined;
        return properties?.[part] ?? items ?? values ?? [];
      },
    );
    at = next.length > 1 && next.every(each => 'const' in each) ? { enum: next.map(each => each.const) } : next[0];
    value = (value as Record<string, unknown> | null | undefined)?.[part];
  }
  if (!at) return undefined;
  const all = alternatives(at);
  const named = matching(all, value);
  return named.length < all.length ? named[0] : at;
}

/** Of alternatives that a key tells apart, such as `target`, the one that the value names; else all. */
function matching(schemas: JsonSchema[], value: unknown): JsonSchema[] {
  const named = schemas.filter(({ properties = {} }) =>
    Object.entries(properties).some(
      ([key, property]) => 'const' in property && property.const === (value as Record<string, unknown> | null)?.[key],
    ),
  );
  return named.length > 0 ? named : schemas;
}

function shortJson(value: unknown): string {
  // JSON.stringify makes null of Infinity, which is what 1e999 is read as.
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The known word that is most like this one, as a question. */
export function suggestion(word: string, known: readonly string[]): string {
  const distanceTo = (name: string) => distance(word.toLowerCase(), name.toLowerCase());
  const [nearest] = known.toSorted((a, b) => distanceTo(a) - distanceTo(b));
  return nearest === undefined ? 'no keys are allowed here' : `did you mean "${nearest}"?`;
}
