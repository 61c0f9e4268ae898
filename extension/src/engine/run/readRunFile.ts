// Reads a run file and validates it by the schemas of protocol/runConfig.ts and of its method, with clear error messages.
import { dirname, isAbsolute, resolve } from 'node:path';
import type { z } from 'zod';
import { schemaError, suggestion } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { runConfigSchema, type RunConfig } from '../../protocol/runConfig.js';
import type { Links } from '../../system/regularFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import type { PeftMethod } from '../peft/method.js';
import { peftMethod, peftMethods } from '../peft/registry.js';

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
  const config = check(runConfigSchema, raw, { file: path });
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
  const ownConfig = check(method.schema, methodKeys, {
    file: path,
    block: 'method',
    otherKeys: Object.keys(runConfigSchema.shape.method.shape),
  });
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

function check<S extends z.ZodType>(schema: S, value: unknown, place: Parameters<typeof schemaError>[3]): z.infer<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw schemaError(result.error, schema, value, place);
  return result.data;
}
