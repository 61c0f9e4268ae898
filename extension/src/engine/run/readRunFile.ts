// Reads a run file and validates it by the schemas of protocol/runConfig.ts and of its method, with clear error messages.
import { dirname, isAbsolute, resolve } from 'node:path';
import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { expected, JSON_WORDS } from '../../core/forms/formField.js';
import { alternatives, type JsonSchema } from '../../core/forms/jsonSchema.js';
import { InputError } from '../../core/inputError.js';
import { runConfigSchema, type RunConfig } from '../../protocol/runConfig.js';
import type { Links } from '../../system/regularFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethod, peftMethods } from '../peft/registry.js';
import { inputJsonSchema } from './runFileSchema.js';

export interface RunFile {
  path: string;
  /** With all defaults filled in; paths as written. */
  config: RunConfig;
  method: PeftMethod;
  /** The method block, parsed by the method's own schema; null if `init_from` provides it. */
  methodConfig: unknown;
  initFrom: string | null;
  /** Resolves a path relative to the run file. */
  resolvePath(path: string): string;
}

/** @throws InputError with file, key and problem, and a suggestion for a misspelt key */
export function readRunFile(path: string, links: Links = 'follow'): RunFile {
  const raw = readJsonObject(path, links);
  if (!raw)
    throw new InputError('the run file does not exist', {
      file: path,
      hint: 'A run file is JSON with at least "model", "dataset" and "method"; see media/examples.',
    });
  return parseRun(raw, path);
}

/** The same for the content of a run file; `path` is for messages and relative paths. */
export function parseRun(raw: Record<string, unknown>, path: string): RunFile {
  const config = check(runConfigSchema, raw, path, []);
  const { peft_type: peftType, init_from: initFrom, ...methodKeys } = config.method;
  const method = peftMethod(peftType);
  if (!method) {
    const known = peftMethods.map(candidate => candidate.peftType);
    throw new InputError(`unknown method "${peftType}"; ${suggestion(peftType, known)}`, {
      file: path,
      key: 'method.peft_type',
      hint: `Known methods: ${known.join(', ')}.`,
    });
  }
  const ownConfig = check(method.schema, methodKeys, path, ['method']);
  const methodConfig = initFrom === null ? (ownConfig as Record<string, unknown>) : null;
  const base = dirname(resolve(path));
  const resolved = { ...config, method: { peft_type: peftType, ...methodConfig, init_from: initFrom } };
  return {
    path,
    config: resolved as RunConfig,
    method,
    methodConfig,
    initFrom,
    resolvePath: relative => (isAbsolute(relative) ? relative : resolve(base, relative)),
  };
}

function check<S extends z.ZodType>(schema: S, value: unknown, path: string, prefix: string[]): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first, ...others] = result.error.issues.flatMap(issue => faultsOf(issue, schema, value, prefix));
  const lines = others.map(({ key, message }) => (key ? `${key}: ${message}` : message));
  const hint = others.length === 0 ? first!.hint : undefined;
  throw new InputError([first!.message, ...lines].join('\n  '), { file: path, key: first!.key, hint });
}

/** A fault of the run file, and the key that has it. */
interface Fault {
  key: string;
  message: string;
  hint?: string;
}

/** What zod has found, as a sentence that says what is allowed. */
function faultsOf(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown, prefix: string[]): Fault[] {
  const path = issue.path.map(String);
  const allowed = schemaAt(inputJsonSchema(schema), path);
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(allowed?.properties ?? {});
    return issue.keys.map(unknown => ({
      key: [...prefix, ...path, unknown].join('.'),
      message: `unknown key "${unknown}"; ${suggestion(unknown, known)}`,
    }));
  }
  const key = [...prefix, ...path].join('.');
  // A rule of our own about several keys.
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
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function suggestion(word: string, known: readonly string[]): string {
  const distanceTo = (name: string) => distance(word.toLowerCase(), name.toLowerCase());
  const [nearest] = known.toSorted((a, b) => distanceTo(a) - distanceTo(b));
  return nearest === undefined ? 'no keys are allowed here' : `did you mean "${nearest}"?`;
}
