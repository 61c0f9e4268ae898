// Tells evaluation suites and their rows from datasets, without the schemas and engines of checks. Called where formats are detected.
import type { Row } from '../data/example.js';
import { isObject } from '../data/formats/rowFields.js';

export const SUITE_EXTENSION = '.eval.jsonl';

/** By its checks, whether or not they are right. */
export function isSuiteRow(row: Row): boolean {
  const { checks } = row;
  return Array.isArray(checks) && checks.length > 0 && checks.every(check => isObject(check) && 'type' in check);
}

/**
 * Whether a file is a suite, also one with faults: `data.eval.jsonl` may also be the rows of a split.
 * @param first rows of the file; null for one that can't be read
 */
export function isSuiteFile(path: string, first: readonly (Row | null)[]): boolean {
  if (!path.endsWith(SUITE_EXTENSION)) return false;
  const read = first.filter(row => row !== null);
  return read.length === 0 || read.some(row => 'checks' in row);
}
