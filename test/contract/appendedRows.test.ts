// The contract of rows that are added to datasets: for every format that can hold a content and every layout of a text, the row
// that was added is read back as what was added, and the rows before it are unchanged. No format is named here.
import { expect, describe, it } from 'vitest';
import { appendedRow, type DatasetText, type NewRow } from '../../extension/src/core/data/appendedRow.js';
import type { Example, Row } from '../../extension/src/core/data/example.js';
import { datasetFormats } from '../../extension/src/core/data/formats/registry.js';
import type { RowContents } from '../../extension/src/core/data/formats/datasetFormat.js';
import { mapColumns, resolveFormat } from '../../extension/src/core/data/resolveFormat.js';
import { EditorRows } from '../../extension/src/rows/scannedRows.js';

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });
const AWKWARD = 'Line one\n\n"quoted", {"a": [1]};\ttab \\n — “é” 👩‍👩‍👧 ';

/** Contents of each kind; a format need not hold all of them, but at least one. */
const CONTENTS: { [Kind in keyof RowContents]: RowContents[Kind][] } = {
  conversation: [
    { messages: [user('Hi'), assistant('Hello')] },
    { messages: [user(AWKWARD), assistant(AWKWARD)] },
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        user('Hi'),
        assistant('Hello'),
        user('Bye'),
        assistant('Bye!'),
      ],
    },
    {
      messages: [
        user('Weather in Rome?'),
        {
          ...{ role: 'assistant', content: null, reasoning_content: 'I must look.' },
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city": "Rome"}' } }],
        },
        { role: 'tool', content: '{"degrees": 20}', tool_call_id: 'c1' },
        assistant('20 degrees.'),
      ],
      tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }],
    },
  ],
  preference: [
    { prompt: [user('Hi')], chosen: [assistant('Hello')], rejected: [assistant('Go away')] },
    { prompt: [user(AWKWARD)], chosen: [assistant(AWKWARD)], rejected: [assistant('No')] },
    { prompt: [user('a'), assistant('b'), user('c')], chosen: [assistant('d')], rejected: [assistant('e')] },
  ],
};

const json = (rows: readonly Row[]) => rows.map(row => JSON.stringify(row));
const cell = (value: unknown) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `"${text.replaceAll('"', '""')}"`;
};
const csv = (rows: readonly Row[], delimiter: string, end: string) => {
  const names = Object.keys(rows[0]!);
  return [names, ...rows.map(row => names.map(name => row[name]))]
    .map(each => each.map(cell).join(delimiter) + end)
    .join('');
};

/** Texts of the same rows. */
const LAYOUTS: Record<string, { fileType: DatasetText['fileType']; write: (rows: readonly Row[]) => string }> = {
  'JSON Lines': {
    fileType: 'jsonl',
    write: rows =>
      json(rows)
        .map(row => `${row}\n`)
        .join(''),
  },
  'JSON Lines without a last line break': { fileType: 'jsonl', write: rows => json(rows).join('\n') },
  'JSON Lines with CRLF, a mark and empty lines': {
    fileType: 'jsonl',
    write: rows =>
      `\ufeff${json(rows)
        .map(row => `${row}\r\n`)
        .join('\r\n')}\r\n\r\n`,
  },
  'JSON Lines in a .json file': { fileType: 'json', write: rows => json(rows).join('\n') },
  'a list on one line': { fileType: 'json', write: rows => `[${json(rows).join(', ')}]` },
  'a list of lines': { fileType: 'json', write: rows => `[\n${json(rows).join(',\n')}\n]\n` },
  'an indented list': { fileType: 'json', write: rows => `${JSON.stringify(rows, null, 4)}\n` },
  'a list indented by tabs, with CRLF': {
    fileType: 'json',
    write: rows => JSON.stringify(rows, null, '\t').replaceAll('\n', '\r\n'),
  },
  'a list under "data"': {
    fileType: 'json',
    write: rows => JSON.stringify({ version: 1, data: rows, end: [] }, null, 2),
  },
  'pretty objects': { fileType: 'jsonl', write: rows => rows.map(row => JSON.stringify(row, null, 2)).join('\n\n') },
  'objects on one line': { fileType: 'json', write: rows => json(rows).join('') },
  CSV: { fileType: 'csv', write: rows => csv(rows, ',', '\n') },
  'CSV with semicolons and CRLF': { fileType: 'csv', write: rows => csv(rows, ';', '\r\n') },
  'CSV without a last line break': { fileType: 'csv', write: rows => csv(rows, ',', '\n').trimEnd() },
  TSV: { fileType: 'tsv', write: rows => csv(rows, '\t', '\n') },
};

async function read(text: string, fileType: DatasetText['fileType']): Promise<Row[]> {
  const reader = new EditorRows(text, fileType);
  const places: { start: number; end: number }[] = [];
  for await (const _ of reader.scan((start, end) => places.push({ start, end })));
  expect(reader.fault).toBeNull();
  return (await reader.texts(places)).map(row => reader.parse(row));
}

const change = (text: string, { start, end, text: added }: ReturnType<typeof appendedRow>['edit']) =>
  text.slice(0, start) + added + text.slice(end);

/** What a model would be trained on, or shown. */
function saidBy(example: Example): unknown {
  if (example.kind === 'preference') return [saidBy(example.chosen), saidBy(example.rejected)];
  if (example.kind === 'completion') return [example.prompt, example.completion];
  if (example.kind !== 'chat') return example;
  const turns = example.messages.map(({ role, content, tool_calls: calls, reasoning_content: reasoning }) => [
    ...[role, content ?? '', calls, reasoning],
  ]);
  return example.tools ? [turns, example.tools] : turns;
}

function saidIn({ kind, content }: NewRow, isText: boolean): unknown {
  const turns = (messages: readonly { role: string; content: string | null; [key: string]: unknown }[]) =>
    isText
      ? messages.map(({ content: said }) => said)
      : messages.map(({ role, content: said, tool_calls: calls, reasoning_content: reasoning }) => [
          ...[role, said ?? '', calls, reasoning],
        ]);
  if (kind === 'preference')
    return [turns([...content.prompt, ...content.chosen]), turns([...content.prompt, ...content.rejected])];
  return content.tools ? [turns(content.messages), content.tools] : turns(content.messages);
}

const kinds = Object.keys(CONTENTS) as (keyof RowContents)[];
const cases = datasetFormats.flatMap(format =>
  kinds.filter(kind => format.writes?.[kind]).map(kind => ({ format, name: format.name, kind })),
);

describe.each(cases)('$kind as a row of $name', ({ format, kind }) => {
  const rows = CONTENTS[kind].flatMap((content): Row[] => {
    try {
      return [format.writes![kind]!(content as never, [])];
    } catch {
      return [];
    }
  });

  it.each(Object.keys(LAYOUTS))('in %s', async name => {
    const { fileType, write } = LAYOUTS[name]!;
    const before = [rows[0]!, rows[0]!];
    const text = write(before);
    const dataset: DatasetText = { text, fileType, format: 'auto', columns: {} };
    let added = 0;
    for (const content of CONTENTS[kind]) {
      const row = { kind, content } as NewRow;
      let found: ReturnType<typeof appendedRow>;
      try {
        found = appendedRow(dataset, row);
      } catch (error) {
        expect((error as Error).name).toBe('InputError');
        continue;
      }
      added++;
      const after = change(text, found.edit);
      const all = await read(after, fileType);
      expect(all.slice(0, -1)).toEqual(await read(text, fileType));
      expect(found.row).toBe(2);
      const source = { file: '', line: found.line };
      const { format: now, columns } = resolveFormat([{ row: all.at(-1)!, source }], 'auto', {});
      expect(now.name).toBe(format.name);
      const example = now.parse(mapColumns(all.at(-1)!, columns), source);
      const isText =
        JSON.stringify(example).includes('"completion"') && !JSON.stringify(example).includes('"messages"');
      expect(saidBy(example)).toEqual(saidIn(row, isText));
      expect(after.slice(0, found.edit.start)).toBe(text.slice(0, found.edit.start));
      expect(after.split('\n').length).toBeGreaterThanOrEqual(found.line);
      if (text.includes('\r\n')) expect(found.edit.text.replaceAll('\r\n', '')).not.toContain('\n');
    }
    expect(added).toBeGreaterThan(0);
  });

  it('in an empty file of each type', async () => {
    if (format.newFilesOf !== kind) return;
    for (const fileType of ['jsonl', 'json', 'csv', 'tsv'] as const)
      for (const text of ['', '\ufeff', ...(fileType === 'json' ? ['[]', '[\n]\n', '{"data": []}'] : [])]) {
        const row = { kind, content: CONTENTS[kind][1] } as NewRow;
        const { edit } = appendedRow({ text, fileType, format: 'auto', columns: {} }, row);
        const all = await read(change(text, edit), fileType);
        expect(all, `${fileType} ${JSON.stringify(text)}`).toHaveLength(1);
        const example = format.parse(all[0]!, { file: '', line: 1 });
        expect(saidBy(example)).toEqual(saidIn(row, false));
      }
  });
});

it('every content can be added to a new file', () => {
  for (const kind of kinds) expect(datasetFormats.filter(({ newFilesOf }) => newFilesOf === kind)).toHaveLength(1);
});

it('formats that hold neither say which do', () => {
  for (const format of datasetFormats.filter(({ writes }) => !writes)) {
    const row = Object.fromEntries(format.fields.filter(({ required }) => required).map(({ name }) => [name, 'a']));
    const dataset: DatasetText = { text: JSON.stringify(row), fileType: 'jsonl', format: format.name, columns: {} };
    for (const kind of kinds) {
      const added = { kind, content: CONTENTS[kind][0] } as NewRow;
      expect(() => appendedRow(dataset, added)).toThrow(
        expect.objectContaining({ name: 'InputError', message: expect.stringContaining(format.name) }),
      );
    }
  }
});
