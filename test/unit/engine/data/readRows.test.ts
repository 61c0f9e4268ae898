import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../../../extension/src/core/data/example.js';
import { readRows } from '../../../../extension/src/engine/data/readRows.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-rows-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** [line, row] of each row. */
async function read(path: string): Promise<[number, Row][]> {
  const rows: [number, Row][] = [];
  for await (const { row, source } of readRows(path)) {
    expect(source.file).toBe(path);
    rows.push([source.line, row]);
  }
  return rows;
}

const failsAt = async (path: string, line: number | null, message: RegExp, column?: number) =>
  expect(read(path)).rejects.toMatchObject({
    where: [path, line, column].filter(part => part != null).join(':'),
    message: expect.stringMatching(message),
  });

describe('JSONL', () => {
  test('byte order mark, CRLF, blank lines, no last line break', async () => {
    const path = file('a.jsonl', '\ufeff{"a":1}\r\n\r\n{"a":"x\\ny"}\n   \n{"a":"é"}');
    expect(await read(path)).toEqual([
      [1, { a: 1 }],
      [3, { a: 'x\ny' }],
      [5, { a: 'é' }],
    ]);
  });

  test('lines that span blocks', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ i, text: 'äöü€😀'.repeat(i * 400) }));
    const rows = await read(file('long.ndjson', lines.join('\n') + '\n'));
    expect(rows.map(([line, row]) => [line, row.i, (row.text as string).length])).toEqual(
      lines.map((_, i) => [i + 1, i, i * 400 * 6]),
    );
  });

  test('errors name file and line', async () => {
    await failsAt(file('b.jsonl', '{"a":1}\n{"a":1,}\n'), 2, /invalid JSON: a comma before }/, 7);
    await failsAt(file('c.jsonl', '{"a":1}\n\n[1]\n'), 3, /must be a JSON object, but this is a list/);
    await failsAt(file('d.jsonl', '3\n'), 1, /but this is a number/);
    const latin1 = Buffer.concat([Buffer.from('{"a":1}\n{"a":"caf'), Buffer.of(0xe9), Buffer.from('"}\n{}\n')]);
    await failsAt(file('e.jsonl', latin1), 2, /not valid UTF-8/);
  });

  test('invalid UTF-8 in a later block is reported with the right line', async () => {
    const good = Buffer.from(`{"a":"${'x'.repeat(999)}"}\n`.repeat(3000));
    await failsAt(file('h.jsonl', Buffer.concat([good, Buffer.of(0xff, 0x0a), good])), 3001, /not valid UTF-8/);
  });

  test('an endless line is not loaded into memory', async () => {
    await failsAt(file('i.jsonl', Buffer.alloc(70 << 20, 'x')), 1, /longer than 64 MB/);
  });
});

describe('JSON', () => {
  test('a list, with the line of each row', async () => {
    const text = '[ {"a": "[1,\\"{"},\n\n {"a": [1, 2, {"b": 3}]\n}, {"a": null}\n,\n{"a": 1}]\n';
    expect((await read(file('a.json', text))).map(([line]) => line)).toEqual([1, 3, 4, 6]);
  });

  test('{"data": [...]}, after other keys', async () => {
    const text = '{"version": [1, 2],\n "meta": {"data": [7]},\n"data": [\n{"a": 1},\n{"a": 2}], "end": [1,\n2]}';
    expect(await read(file('b.json', text))).toEqual([
      [4, { a: 1 }],
      [5, { a: 2 }],
    ]);
  });

  test('errors', async () => {
    await failsAt(file('c.json', '[{"a": 1},\n{"a" 2}]'), 2, /invalid JSON: 2 instead of a colon/, 6);
    await failsAt(file('d.json', '[{"a": 1},\n{"a": 2}\n'), 2, /the list of rows is not closed/, 9);
    await failsAt(file('e.json', ' 5'), null, /neither rows nor a list of rows/);
    await failsAt(file('h.json', '[{"é": 1}, {"b": [1 2]}]'), 1, /2 instead of a comma or ]/, 21);
    await failsAt(file('f.json', '[{"a": 1},\n 5]'), 2, /but this is a number/);
    await failsAt(file('g.json', '[]'), null, /empty/);
  });
});

describe('CSV', () => {
  test('quotes, line breaks in quotes, CRLF, byte order mark: the line is the first of the record', async () => {
    const text = '\ufeffa,b\r\n1,"x, ""y"""\r\n\r\n"line\r\nbreak",3\r\n4,\r\n';
    expect(await read(file('a.csv', text))).toEqual([
      [2, { a: '1', b: 'x, "y"' }],
      [4, { a: 'line\nbreak', b: '3' }],
      [6, { a: '4', b: '' }],
    ]);
  });

  test('errors', async () => {
    await failsAt(file('b.csv', 'a,b\n1,2\n1,2,3\n4,5\n'), 3, /the record has 3 fields, the header 2/);
    await failsAt(file('c.csv', 'a,b\n1,2\n1,"x\n4,5\n'), 3, /never closed/);
    await failsAt(file('d.csv', 'a,b\n'), null, /empty/);
    await failsAt(file('e.csv', Buffer.from('a,b\n1,caf\u00e9\n', 'latin1')), 2, /not valid UTF-8/);
  });
});

describe('Parquet', () => {
  const fixture = new URL('../../../fixtures/datasets/messages.parquet', import.meta.url).pathname;

  test('compressed row groups with nested lists, nulls and 64-bit integers', async () => {
    const rows = await read(fixture);
    expect(rows.map(([line]) => line)).toEqual([1, 2, 3, 4, 5]);
    expect(rows[3][1]).toMatchObject({
      messages: [
        { role: 'user', content: 'Question 3?' },
        { role: 'assistant', content: 'Answer 3 – ä' },
      ],
      score: 3,
    });
  });

  test('a damaged file is an error', async () => {
    await failsAt(file('a.parquet', 'PAR1 nothing of the kind PAR1'), null, /Parquet file can't be read/);
    await failsAt(file('b.parquet', ''), null, /Parquet file can't be read/);
  });
});

describe('any file', () => {
  test('empty, missing and unknown files', async () => {
    await failsAt(file('empty.jsonl', ''), null, /empty/);
    await failsAt(file('blank.jsonl', '\n\n'), null, /empty/);
    await failsAt(join(folder, 'none.jsonl'), null, /does not exist/);
    await failsAt(join(folder, 'none.parquet'), null, /does not exist/);
    await failsAt(join(folder, 'none.json'), null, /does not exist/);
    await failsAt(file('rows.txt', 'a'), null, /"\.txt" is not a dataset file type/);
    await failsAt(file('rows', 'a'), null, /no extension/);
  });

  test('a signal stops reading', async () => {
    const stop = new AbortController();
    const path = file('many.jsonl', `{"a":"${'x'.repeat(900)}"}\n`.repeat(4000));
    const reading = (async () => {
      for await (const { source } of readRows(path, { signal: stop.signal })) if (source.line === 10) stop.abort();
    })();
    await expect(reading).rejects.toThrow(/abort/);
  });
});
