// Reads an evaluation suite, a JSON Lines file. Called by `evaluate` and, for all faults of a text at once, by editors; core/evaluation/suite.ts says what a row is.
import { closeSync } from 'node:fs';
import { isObject, parseJson } from '../../core/data/formats/rowFields.js';
import { isSuiteRow, SUITE_EXTENSION } from '../../core/evaluation/isSuiteRow.js';
import { checkId, parseSuiteRow, type SuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import type { EngineError } from '../../protocol/engineError.js';
import { EditorRows } from '../../rows/scannedRows.js';
import { openRegularFile, readRange } from '../../system/regularFile.js';
import { readRows, rowsOf } from './readRows.js';

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
  const lines = new Map<string, number>();
  for await (const { row, source } of readRows(path)) {
    const parsed = parseSuiteRow(row, source);
    checkId(parsed, lines);
    rows.push(parsed);
  }
  return rows;
}

/** The rows of a suite, and the fault of each wrong row, which has its line. A text that is still empty has none. */
export async function checkSuite(path: string, text: string): Promise<{ rows: SuiteRow[]; faults: EngineError[] }> {
  const rows: SuiteRow[] = [];
  const faults: EngineError[] = [];
  if (text.trim() === '') return { rows, faults };
  const lines = new Map<string, number>();
  const onBadRow = (error: InputError) => void faults.push(error.record());
  try {
    for await (const { row, source } of rowsOf(new EditorRows(text, 'jsonl'), path, { onBadRow }))
      try {
        const parsed = parseSuiteRow(row, source);
        checkId(parsed, lines);
        rows.push(parsed);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        onBadRow(error);
      }
  } catch (error) {
    // A fault outside the rows, such as a list that isn't closed.
    if (!(error instanceof InputError)) throw error;
    onBadRow(error);
  }
  return { rows, faults };
}
