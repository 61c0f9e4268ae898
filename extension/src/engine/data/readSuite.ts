// Reads an evaluation suite, a JSON Lines file. Called by `evaluate`; core/evaluation/suite.ts says what a row is.
import { closeSync } from 'node:fs';
import { isObject, parseJson } from '../../core/data/formats/rowFields.js';
import { isSuiteRow } from '../../core/evaluation/isSuiteRow.js';
import { checkIds, parseSuiteRow, SUITE_EXTENSION, type SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import { openRegularFile, readRange } from '../../system/regularFile.js';
import { readRows } from './readRows.js';

/** A longer first row isn't looked at. */
const HEAD_BYTES = 1 << 16;

/** Whether a file is a suite by its name and its first row: `data.eval.jsonl` may also be the rows of a split. */
export function isSuite(path: string): boolean {
  if (!path.endsWith(SUITE_EXTENSION)) return false;
  const { descriptor, size } = openRegularFile(path);
  try {
    const [first = ''] = readRange(descriptor, 0, Math.min(size, HEAD_BYTES)).toString('utf8').trimStart().split('\n');
    const row = parseJson(first);
    return isObject(row) && isSuiteRow(row);
  } finally {
    closeSync(descriptor);
  }
}

/** @throws InputError with file, line and key for the first wrong row */
export async function readSuite(path: string): Promise<SuiteRow[]> {
  if (!path.endsWith('.jsonl'))
    throw new InputError('an evaluation suite is a JSON Lines file', {
      file: path,
      hint: 'Name it like tone.eval.jsonl.',
    });
  const rows: SuiteRow[] = [];
  for await (const { row, source } of readRows(path)) rows.push(parseSuiteRow(row, source));
  checkIds(rows);
  return rows;
}
