// Parquet files as pyarrow stores them are read; files whose sizes can't be true are refused before memory is allocated by them.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { InputError } from '../../../extension/src/core/inputError.js';
import { openRowFile } from '../../../extension/src/rows/openRowFile.js';
import { checkMetadata } from '../../../extension/src/rows/parquetChecks.js';
import type { RowPlace } from '../../../extension/src/rows/rowReader.js';
import { repeatedText } from '../../support/parquetFile.js';

const tables = fileURLToPath(new URL('../../fixtures/parquet/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tunewright-parquet-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function readAll(path: string): Promise<Record<string, unknown>[]> {
  const reader = await openRowFile(path);
  try {
    const places: RowPlace[] = [];
    for await (const _ of reader.scan((start, end) => places.push({ start, end })));
    return (await reader.texts(places)).map(text => reader.parse(text));
  } finally {
    await reader.close();
  }
}

describe('tables of pyarrow', () => {
  const names = readdirSync(tables).filter(name => name.endsWith('.parquet'));

  test.each(names.filter(name => name.startsWith('messages')))('%s', async name => {
    const rows = await readAll(join(tables, name));
    expect(rows).toHaveLength(30);
    expect(rows[7]).toMatchObject({
      messages: [
        { role: 'user', content: 'hi 7' },
        { role: 'assistant', content: 'yes '.repeat(7) },
      ],
      ok: true,
    });
    expect(rows[9]).toMatchObject({ x: 1.5 });
  });

  test.each(names.filter(name => name.startsWith('text')))('%s', async name => {
    expect((await readAll(join(tables, name)))[49]).toEqual({ text: 'row number 49' });
  });

  test('100,000 equal rows in a few bytes', async () => {
    const rows = await readAll(join(tables, 'same-text.parquet'));
    expect([rows.length, rows[99_999]]).toEqual([100_000, { text: 'same text' }]);
  });

  test('lists of integers', async () => {
    const rows = await readAll(join(tables, 'ids-delta.parquet'));
    expect(JSON.stringify(rows[3])).toBe('{"input_ids":[0,1,2,3]}');
  });
});

describe('damaged files', () => {
  test.each([[[{}, {}]], [{}], ['5'], [undefined], [[5]]])('a number of rows that is %j', value => {
    const metadata = { schema: [], num_rows: 5n, row_groups: [{ num_rows: value, columns: [] }] };
    expect(() => checkMetadata(metadata as never, 1000)).toThrow('the number of rows of a row group is no number');
  });

  const ofChildren = (...counts: (number | undefined)[]) => counts.map(num_children => ({ num_children }));
  test.each([
    ['a negative number', ofChildren(2, -2, undefined), /children of a column is -2, at most 1/],
    ['more than there are', ofChildren(2, undefined), /children of a column is 2, at most 1/],
    ['fewer than there are', ofChildren(1, undefined, undefined), /an element without a parent/],
    ['too few inside', ofChildren(2, 1, undefined), /fewer elements than it names/],
    ['a deep chain', ofChildren(...new Array(200).fill(1), undefined), /more than 100 levels deep/],
  ])('children of the schema: %s', (_, schema, message) => {
    expect(() => checkMetadata({ schema, num_rows: 0n, row_groups: [] } as never, 1000)).toThrow(message);
  });

  const damaged: Record<string, RegExp> = {
    'fatal-772-bytes.parquet': /the number of values of a run is 106283057, at most 20/,
    'fatal-992-bytes.parquet': /the number of bytes of levels is 1985229328, at most 12/,
    'endless-schema.parquet': /the number of children of a column is -\d+, at most/,
    'unhandled-rejection.parquet': /the number of bytes of a text is 120, at most 51/,
  };
  test.each(Object.entries(damaged))('%s', async (name, message) => {
    await expect(readAll(join(tables, 'damaged', name))).rejects.toSatisfy(
      (error: InputError) => error instanceof InputError && message.test(error.message) && error.where.endsWith(name),
    );
  });

  test('a changed bit anywhere in the file', { timeout: 120_000 }, async () => {
    const good = readFileSync(join(tables, 'text-plain.parquet'));
    const path = join(folder, 'changed.parquet');
    const faults: string[] = [];
    for (let at = 4; at < good.length - 4; at += 3) {
      const bytes = Buffer.from(good);
      bytes[at]! ^= 1 << (at % 8);
      writeFileSync(path, bytes);
      await readAll(path).catch((error: Error) => {
        if (!(error instanceof InputError) || error.where !== path) faults.push(`byte ${at}: ${error.message}`);
      });
    }
    expect(faults).toEqual([]);
  });
});

test('a text that a small file repeats is in memory once, not once for each row', async () => {
  const path = join(folder, 'repeated.parquet');
  writeFileSync(path, repeatedText('x'.repeat(20_000), 30_000));
  const reader = await openRowFile(path);
  const places: RowPlace[] = [];
  for await (const _ of reader.scan((start, end) => places.push({ start, end })));
  const before = process.memoryUsage().rss;
  const texts = await reader.texts([places[0]!, places.at(-1)!]);
  const grown = process.memoryUsage().rss - before;
  await reader.close();
  expect(texts.map(({ length }) => length)).toEqual([20_011, 20_011]);
  expect(grown).toBeLessThan(200e6);
});
