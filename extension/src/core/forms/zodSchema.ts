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
  return new InputError([first.message, ...lines].join('\n  '), { ...place, key: keyOf(first), hint });
}

function faultsOf(
  issue: z.core.$ZodIssue,
  schema: JsonSchema,
  value: unknown,
  otherKeys: readonly string[],
): SchemaFault[] {
  const path = issue.path.map(String);
  const key = path.join('.');
  const allowed = schemaAt(schema, path);
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
  const must = `must be ${expected(allowed, JSON_WORDS)}`;
  const message = found === undefined ? `is missing; ${must}` : `${must}, not ${shortJson(found)}`;
  return [{ key, message, hint: allowed.description && `${allowed.description}.` }];
}

/** The part of a schema for the value at a path. */
function schemaAt(schema: JsonSchema, path: readonly string[]): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((at, part) => {
    for (const { properties, items, additionalProperties } of at ? alternatives(at) : []) {
      const values = typeof additionalProperties === 'object' ? additionalProperties : undefined;
      const next = properties?.[part] ?? items ?? values;
      if (next) return next;
    }
    return undefined;
  }, schema);
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
