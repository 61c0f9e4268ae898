// What `datasets` reads is read, with the same values; what it doesn't read is an error of the row or of the file, never silence.
// Recorded by test/fixtures/datasets/recordPeers.py.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../../extension/src/core/data/example.js';
import { numberOf } from '../../../extension/src/core/data/formats/rowFields.js';
import { parseJsonText } from '../../../extension/src/core/data/jsonText.js';
import type { InputError } from '../../../extension/src/core/inputError.js';
import { readRows } from '../../../extension/src/engine/data/readRows.js';

const recorded = parseJsonText(
  readFileSync(new URL('../../fixtures/datasets/peers.json', import.meta.url), 'utf8'),
) as { name: string; content: string; rows: Row[] | null }[];

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-peers-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(name: string, content: string): Promise<{ rows: Row[]; errors: InputError[] }> {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(content, 'base64'));
  const rows: Row[] = [];
  const errors: InputError[] = [];
  try {
    for await (const { row } of readRows(path, { onBadRow: error => errors.push(error) })) rows.push(row);
  } catch (error) {
    errors.push(error as InputError);
  }
  return { rows, errors };
}

/** Arrow gives every row the keys of all, null where a row has none, and makes floats of a column that has some. */
function withoutNulls(rows: readonly Row[]): Row[] {
  return rows.map(row => {
    const entries = Object.entries(row).filter(([, value]) => value !== null);
    return Object.fromEntries(entries.map(([key, value]) => [key, numberOf(value) ?? value]));
  });
}

describe.each(recorded)('$name', ({ name, content, rows: expected }) => {
  test(expected ? 'has the rows that `datasets` reads' : 'has an error, with its place', async () => {
    const { rows, errors } = await read(name, content);
    if (expected) {
      expect(errors).toEqual([]);
      expect(withoutNulls(rows)).toEqual(withoutNulls(expected));
      return;
    }
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors)
      expect(error).toMatchObject({ name: 'InputError', where: expect.stringContaining(name) });
  });
});

test.each<[string, RegExp, RegExp]>([
  ['half-pair.jsonl', /half a surrogate pair/, /Escape both halves/],
  ['comma-lines.jsonl', /, after the end of the value/, /Remove the comma at the end of the line/],
  ['comma-list.json', /a comma after the last row/, /Remove the comma before the closing bracket/],
  ['single-quotes.jsonl', /' instead of a key/, /json\.dumps/],
  ['control.jsonl', /the control character \\u0009 within a text/, /Escape it/],
  ['cut-off.jsonl', /a text without a closing quote/, /cut off/],
  ['html.jsonl', /an HTML or XML page/, /download the file itself/],
  ['lfs.jsonl', /a Git LFS pointer/, /git lfs pull/],
])('%s says what to change', async (name, message, hint) => {
  const { errors } = await read(name, recorded.find(each => each.name === name)!.content);
  expect(errors[0].message).toMatch(message);
  expect(errors[0].hint).toMatch(hint);
});
