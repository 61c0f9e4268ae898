// Reads and writes quarantine files (protocol/quarantine.ts). Called before rows are loaded, and by `quarantine`.
import type { JsonSchema } from '../../core/forms/jsonSchema.js';
import { inputJsonSchema, schemaError } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { quarantineSchema, type QuarantinedRow } from '../../protocol/quarantine.js';
import type { Links } from '../../system/regularFile.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';
import { valueHash } from './fileHash.js';

/** For editors and `describe quarantine-schema`. */
export function quarantineJsonSchema(): JsonSchema {
  return { ...inputJsonSchema(quarantineSchema), title: 'Tunewright quarantine file' };
}

/** Rows of a dataset that a run leaves out. */
export interface ExcludedRows {
  /** The file that says so. */
  file: string;
  rows: readonly QuarantinedRow[];
  /** Those of the rows, by `sourceHash`. */
  hashes: ReadonlySet<string>;
}

/** null if the file doesn't exist. @throws InputError if it isn't a quarantine file */
export function readQuarantine(path: string, links: Links = 'follow'): QuarantinedRow[] | null {
  const raw = readJsonObject(path, links);
  if (raw === null) return null;
  const result = quarantineSchema.safeParse(raw);
  if (!result.success) throw schemaError(result.error, quarantineSchema, raw, { file: path });
  return result.data.rows;
}

/** @throws InputError if the file doesn't exist or isn't a quarantine file */
export function readExcluded(path: string, links?: Links): ExcludedRows {
  const rows = readQuarantine(path, links);
  if (rows === null)
    throw new InputError('the quarantine file does not exist', {
      file: path,
      key: 'dataset.exclude',
      hint: 'Correct the path, remove the key, or make the file with tunewright quarantine.',
    });
  return { file: path, rows, hashes: new Set(rows.map(({ hash }) => hash)) };
}

/** Ordered by line, each row once. */
export function orderedQuarantine(rows: readonly QuarantinedRow[]): QuarantinedRow[] {
  const byHash = new Map<string, QuarantinedRow>();
  for (const { hash, line } of rows) if (!byHash.has(hash)) byHash.set(hash, { hash, line });
  return [...byHash.values()].sort((a, b) => a.line - b.line || a.hash.localeCompare(b.hash));
}

/** @throws InputError if the file can't be written */
export function writeQuarantine(path: string, rows: readonly QuarantinedRow[]): void {
  writeJson(path, { rows: orderedQuarantine(rows) });
}

/** Equal for equal rows, in whatever order. */
export function excludedHash({ hashes }: ExcludedRows): string {
  return valueHash([...hashes].sort());
}
