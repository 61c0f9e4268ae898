import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { csvRow, splitCsvRecord } from '../../../../extension/src/core/data/csvRecord.js';
import { rowScanner } from '../../../../extension/src/core/data/rowScanner.js';
import { readRows } from '../../../../extension/src/engine/data/readRows.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-csv-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function byEngine(text: string): Promise<unknown[]> {
  const path = join(folder, 'rows.csv');
  writeFileSync(path, text);
  const rows: unknown[] = [];
  for await (const { row, source } of readRows(path)) rows.push([row, source.line]);
  return rows;
}

function byPreview(text: string): unknown[] {
  const bytes = new TextEncoder().encode(text);
  const records: [string, number][] = [];
  const scanner = rowScanner('csv', (start, end, line) =>
    records.push([new TextDecoder().decode(bytes.subarray(start, end)), line]),
  );
  scanner.push(bytes);
  scanner.finish();
  const [[header], ...rows] = records;
  return rows.map(([record, line]) => [csvRow(record, splitCsvRecord(header)), line]);
}

describe('the preview reads CSV as the engine does', () => {
  test.each([
    ['plain', 'prompt,completion\na,b\nc,d\n'],
    ['quoted line breaks and CRLF', 'prompt,completion\r\n"a\r\nb",c\r\n"d\n\ne",f\r\n'],
    ['doubled quotes', 'prompt,completion\n"say ""a""","""b"""\n'],
    ['empty fields and lines', 'prompt,completion\n,\n\n"",b\n'],
    ['blanks are kept', 'prompt,completion\n a , b \n'],
    ['no line break at the end', 'prompt,completion\na,b'],
    ['a byte order mark', '\ufeffprompt,completion\na,b\n'],
  ])('%s', async (_, text) => {
    expect(byPreview(text)).toEqual(await byEngine(text));
  });

  test.each([
    ['a field too many', 'prompt,completion\na,b,c\n'],
    ['a field too few', 'prompt,completion\na\n'],
    ['a quote in the middle of a field', 'prompt,completion\na"b,c\n'],
    ['text behind a closing quote', 'prompt,completion\n"a"b,c\n'],
    ['a quote that is never closed', 'prompt,completion\n"a,b\n'],
  ])('both refuse %s', async (_, text) => {
    await expect(byEngine(text)).rejects.toThrow();
    expect(() => byPreview(text)).toThrow();
  });
});
