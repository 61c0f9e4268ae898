// Random access, which the preview depends on: any rows, in any order, have the same texts as when reading from the beginning.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../../extension/src/core/data/example.js';
import { parseJsonText } from '../../../extension/src/core/data/jsonText.js';
import { DataFile } from '../../../extension/src/rows/dataFile.js';
import { openRowFile } from '../../../extension/src/rows/openRowFile.js';
import type { RowPlace, RowReader } from '../../../extension/src/rows/rowReader.js';
import { textFile } from '../../../extension/src/rows/textFile.js';
import { EditorRows, openBeginning, TextFileRows } from '../../../extension/src/rows/scannedRows.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-readers-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function scan(reader: RowReader, onBlock: (places: RowPlace[]) => Promise<void> = async () => {}) {
  const places: RowPlace[] = [];
  for await (const _ of reader.scan((start, end) => places.push({ start, end }))) await onBlock(places);
  return places;
}

const rows = Array.from({ length: 200 }, (_, i) => ({ id: String(i), text: `äö€😀\n"${'x'.repeat(i % 17)}"` }));
const contents = {
  jsonl: '\ufeff' + rows.map(row => JSON.stringify(row)).join('\r\n\n'),
  json: JSON.stringify({ about: 'é', data: rows }, null, 1),
  csv: 'id,text\n' + rows.map(({ id, text }) => `${id},"${text.replaceAll('"', '""')}"`).join('\n'),
};

describe.each(Object.entries(contents))('%s', (type, content) => {
  const fileType = type as keyof typeof contents;

  test.each([7, 64, 1000, 1 << 20])('in blocks of %d bytes', async block => {
    const path = join(folder, `rows.${type}`);
    writeFileSync(path, content);
    const reader = new TextFileRows(await DataFile.open(path), fileType, block);
    const during: string[] = [];
    const places = await scan(reader, async found => {
      if (found.length > 0) during.push(...(await reader.texts(found.slice(-1))));
    });
    const parsed = async (some: RowPlace[]) => (await reader.texts(some)).map(text => reader.parse(text));
    expect(await parsed(places)).toEqual(rows);
    expect(await parsed(places.slice(150))).toEqual(rows.slice(150));
    expect(await parsed(places.slice(3, 5))).toEqual(rows.slice(3, 5));
    // Texts read during the scan, from the current block and from others.
    const all = new Set(await reader.texts(places));
    expect(during.filter(text => !all.has(text))).toEqual([]);
    expect(reader.fault).toBeNull();
    expect(reader.contentHash).toBe(createHash('sha256').update(content).digest('hex'));
    await reader.close();
  });

  test('of an editor', async () => {
    const reader = new EditorRows(content, fileType);
    const places = await scan(reader);
    expect((await reader.texts(places)).map(text => reader.parse(text))).toEqual(rows);
    expect(await reader.texts([places[9]])).toEqual([content.slice(places[9].start, places[9].end)]);
  });
});

test('Parquet, across row groups and backwards', async () => {
  const path = new URL('../../fixtures/datasets/messages.parquet', import.meta.url).pathname;
  const reader = await openRowFile(path);
  const places = await scan(reader);
  const texts = await reader.texts(places);
  expect(texts).toHaveLength(5);
  expect(new Set(texts).size).toBe(5);
  for (let row = 4; row >= 0; row--) expect(await reader.texts([places[row]])).toEqual([texts[row]]);
  expect(reader.contentHash).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'));
  await reader.close();
});

test('Parquet structs have only their own keys, and numbers are as Python prints them, as in TRL', async () => {
  const fixtures = new URL('../../fixtures/datasets/', import.meta.url).pathname;
  const reader = await openRowFile(join(fixtures, 'tools.parquet'));
  const texts = await reader.texts(await scan(reader));
  const expected = parseJsonText(readFileSync(join(fixtures, 'tools.json'), 'utf8')) as Row[];
  // Columns without a value are kept: they say which columns the file has.
  expect(texts.map(text => reader.parse(text))).toEqual([{ ...expected[0], score: null }, expected[1]]);
  expect(texts[1]).toContain('"y":9007199254740993,"z":[1,null,-9223372036854775808],"w":2.5,"v":2.0,');
  await reader.close();
});

describe('files that are decoded', () => {
  const text = '{"a":"é🙂"}\n'.repeat(300_000);
  const encodings: Record<string, Buffer> = {
    'UTF-16': Buffer.from(`\ufeff${text}`, 'utf16le'),
    'big-endian UTF-16': Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
    gzip: gzipSync(text),
  };

  test.each(Object.entries(encodings))(
    '%s: the rows, the hash of the file itself, and nothing left',
    async (_, bytes) => {
      const path = join(folder, 'decoded.jsonl');
      writeFileSync(path, bytes);
      const before = decodedCopies();
      const reader = await openRowFile(path);
      const places = await scan(reader);
      expect(places).toHaveLength(300_000);
      const some = await reader.texts([places[0], places[150_000], places[299_999]]);
      expect(new Set(some)).toEqual(new Set(['{"a":"é🙂"}']));
      expect(reader.contentHash).toBe(createHash('sha256').update(bytes).digest('hex'));
      await reader.close();
      expect(decodedCopies()).toEqual(before);
    },
  );

  test.each(Object.entries(encodings))('%s: only the beginning', async (_, bytes) => {
    const path = join(folder, 'beginning.jsonl');
    writeFileSync(path, bytes);
    const reader = await openBeginning(path, 'jsonl', 1000);
    const places: RowPlace[] = [];
    await reader.scan((start, end) => places.push({ start, end })).next();
    expect(await reader.texts(places)).toEqual(Array(Math.floor(1000 / 15)).fill('{"a":"é🙂"}'));
    await reader.close();
  });

  test('a compressed file that unpacks to far more is an error, and nothing is left', async () => {
    const path = join(folder, 'bomb.jsonl.gz');
    writeFileSync(path, gzipSync(Buffer.alloc(5 << 20, ' ')));
    const before = decodedCopies();
    await expect(textFile(await DataFile.open(path), Infinity, 3 << 20)).rejects.toThrow(/unpacks to more than 3 MB/);
    expect(decodedCopies()).toEqual(before);
  });

  const decodedCopies = () => readdirSync(tmpdir()).filter(name => name.startsWith('tunewright-text-'));
});

test('invalid paths', async () => {
  await expect(openRowFile(join(folder, 'none.jsonl'))).rejects.toThrow(/does not exist/);
  await expect(openRowFile(join(folder, 'rows.xlsx'))).rejects.toThrow(/"\.xlsx" is not a dataset file type/);
  await expect(openRowFile(folder + '/rows')).rejects.toThrow(/has no extension/);
});
