// Reads an evaluation suite, a JSON Lines file. Called by `evaluate`; core/evaluation/suite.ts says what a row is.
import { checkIds, parseSuiteRow, type SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import { readRows } from './readRows.js';

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
