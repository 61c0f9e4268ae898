// Tells rows of evaluation suites from rows of datasets, without the schemas and engines of checks. Called where formats are detected.
import type { Row } from '../data/example.js';
import { isObject } from '../data/formats/rowFields.js';

/** By its checks, whether or not they are right. */
export function isSuiteRow(row: Row): boolean {
  const { checks } = row;
  return Array.isArray(checks) && checks.length > 0 && checks.every(check => isObject(check) && 'type' in check);
}
