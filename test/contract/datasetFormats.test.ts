// The contract of every dataset format, over the registry and the bundled examples in media/datasets. No format is
// named here: a new one is tested once it has a line in core/data/formats/registry.ts and an example.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { SourcedRow } from '../../extension/src/core/data/example.js';
import { datasetFormats } from '../../extension/src/core/data/formats/registry.js';
import { resolveFormat } from '../../extension/src/core/data/resolveFormat.js';
import { readRows } from '../../extension/src/engine/data/readRows.js';
import { inputErrorOf } from '../support/inputErrors.js';

const detectFormat = (rows: SourcedRow[]) => resolveFormat(rows, 'auto', {}, true).format;
const folder = fileURLToPath(new URL('../../media/datasets/', import.meta.url));

async function rowsOf(name: string): Promise<SourcedRow[]> {
  const rows: SourcedRow[] = [];
  for await (const row of readRows(join(folder, name))) rows.push(row);
  return rows;
}

const examples = await Promise.all(readdirSync(folder).map(async name => ({ name, rows: await rowsOf(name) })));
const examplesOf = (format: string) => examples.filter(({ rows }) => detectFormat(rows).name === format);

describe.each(examples.map(({ name, rows }) => ({ name, rows })))('media/datasets/$name', ({ rows }) => {
  it('matches exactly one format with each row', () => {
    const format = detectFormat(rows);
    expect(datasetFormats.filter(candidate => rows.some(({ row }) => candidate.detect(row)))).toEqual([format]);
  });

  it('parses', () => {
    const format = detectFormat(rows);
    for (const { row, source } of rows)
      expect(format.parse(row, source).kind).toMatch(/chat|completion|text|tokenized|preference/);
  });
});

describe.each(datasetFormats.map(format => ({ format, name: format.name })))('$name', ({ format }) => {
  it('has a bundled example', () => {
    expect(examplesOf(format.name).map(({ name }) => basename(name))).not.toEqual([]);
  });

  it('names file and line of a row with invalid fields', async () => {
    const [{ row }] = examplesOf(format.name)[0]!.rows as [SourcedRow];
    const source = { file: 'rows.jsonl', line: 7 };
    const required = format.fields.filter(field => field.required);
    expect(required.length).toBeGreaterThan(0);
    for (const { name } of required)
      for (const value of [undefined, null, 12, {}, [[]], [null], true]) {
        const error = await inputErrorOf(() => format.parse({ ...row, [name]: value }, source));
        expect(error.where, `${name}: ${JSON.stringify(value)}`).toContain('rows.jsonl:7');
        expect(error.message, `${name}: ${JSON.stringify(value)}`).toContain(name);
      }
  });

  it('describes its fields', () => {
    for (const { name, description } of format.fields) expect(description, name).toMatch(/\w{3}/);
  });
});
