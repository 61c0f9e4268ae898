// One stack reads rows for training and for the preview: for a table of valid and invalid files of every type, both
// have the same rows on the same lines, the same format and the same error messages. A new file type gets its files
// here.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Example } from '../../extension/src/core/data/example.js';
import { FORMAT_SAMPLE_ROWS } from '../../extension/src/core/data/resolveFormat.js';
import { fileTypeOf, ROW_FILE_EXTENSIONS } from '../../extension/src/core/data/rowFileTypes.js';
import { InputError } from '../../extension/src/core/inputError.js';
import { createTokenizer } from '../../extension/src/core/text/huggingFaceTokenizer.js';
import { encodeRows } from '../../extension/src/engine/data/loadDataset.js';
import { readRows } from '../../extension/src/engine/data/readRows.js';
import { readTokenizer } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { AnalysedDataset } from '../../extension/src/host/datasets/worker/analysedDataset.js';
import { turnsOf } from '../../extension/src/host/datasets/worker/exampleText.js';
import type { SourceDescription } from '../../extension/src/host/datasets/worker/workerMessages.js';
import { root } from '../support/datasetWorker.js';

const tiny = join(root, 'media/models/tiny');
const tokenizer = createTokenizer(readTokenizer(tiny)!);
const READING = { format: 'auto', columns: {}, train_on: 'completions' } as const;

interface Case {
  file: string;
  content: string | Buffer;
  /** The line of every row; for Parquet the row's number. */
  lines: number[];
  format?: string;
  /** The error that ends training: on a line, or for the whole file. */
  fails?: { line: number | null; message: RegExp; row?: number };
}

const pair = (prompt: string, completion = 'b') => JSON.stringify({ prompt, completion });
const chat = JSON.stringify({
  messages: [
    { role: 'user', content: 'é\n"quoted"' },
    { role: 'assistant', content: '[{,' },
  ],
});
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const utf16 = (text: string) => Buffer.from(text, 'utf16le');
const fixture = (path: string) => readFileSync(join(root, path));
const many = (count: number, row: string) => Array.from({ length: count }, () => row);

const cases: Record<string, Case> = {
  JSONL: { file: 'a.jsonl', content: `${pair('a')}\n${pair('c')}\n`, lines: [1, 2], format: 'prompt_completion' },
  'JSONL with a byte order mark, CRLF, blank lines and no last line break': {
    file: 'a.ndjson',
    content: `\ufeff${chat}\r\n\r\n  \n${chat}`,
    lines: [1, 4],
    format: 'messages',
  },
  'JSONL with invalid JSON': {
    file: 'a.jsonl',
    content: `${pair('a')}\n\n{"prompt": "a",}\n${pair('c')}\n`,
    lines: [1, 3, 4],
    fails: { line: 3, message: /^invalid JSON: .*at position 15$/ },
  },
  'JSONL with half a row at the end': {
    file: 'a.jsonl',
    content: `${pair('a')}\n{"prompt": "a", "comp`,
    lines: [1, 2],
    fails: { line: 2, message: /^invalid JSON/ },
  },
  'JSONL with a row that is not an object': {
    file: 'a.jsonl',
    content: `${pair('a')}\n[1]\n`,
    lines: [1, 2],
    fails: { line: 2, message: /must be a JSON object, but this is a list/ },
  },
  'JSONL with a row of invalid values': {
    file: 'a.jsonl',
    content: [...many(FORMAT_SAMPLE_ROWS, pair('a')), '{"prompt": 7, "completion": "b"}'].join('\n'),
    lines: Array.from({ length: FORMAT_SAMPLE_ROWS + 1 }, (_, i) => i + 1),
    format: 'prompt_completion',
    fails: { line: FORMAT_SAMPLE_ROWS + 1, message: /"prompt" must be a text/ },
  },
  'JSONL that is Latin-1': {
    file: 'a.jsonl',
    content: latin1(`${pair('a')}\n${pair('caf\xe9')}\n`),
    lines: [1, 2],
    fails: { line: 2, message: /not valid UTF-8/ },
  },
  'UTF-16 with a byte order mark': {
    file: 'a.jsonl',
    content: utf16(`\ufeff${pair('a')}\n`),
    lines: [],
    fails: { line: 1, message: /UTF-16/ },
  },
  'UTF-16 without a byte order mark': {
    file: 'a.csv',
    content: utf16('prompt,completion\n'),
    lines: [],
    fails: { line: 1, message: /UTF-16/ },
  },
  'an endless line': {
    file: 'a.jsonl',
    content: Buffer.concat([Buffer.from(`${pair('a')}\n`), Buffer.alloc(65 << 20, 'x')]),
    lines: [1, 2],
    fails: { line: 2, message: /longer than 64 MB/ },
  },
  'an empty file': { file: 'a.jsonl', content: '', lines: [] },
  'blank lines': { file: 'a.csv', content: '\n\r\n', lines: [] },
  'an empty list': { file: 'a.json', content: '[]', lines: [] },
  'only a CSV header': { file: 'a.csv', content: 'prompt,completion\n', lines: [] },
  'JSON with rows over several lines': {
    file: 'a.json',
    content: `\ufeff[\r\n  ${pair('a ],}\\"[')},\n\n {"prompt": "a",\n "completion": "b", "more": [[1, {"x": []}]]\n}, ${pair('c')}]\n`,
    lines: [2, 4, 6],
    format: 'prompt_completion',
  },
  'JSON with the rows under "data"': {
    file: 'a.json',
    content: `{"version": [1, 2],\n"meta": {"data": [7]}, "x": "data",\n"data": [\n${pair('a')},\n${pair('c')}], "end": [1]}`,
    lines: [4, 5],
    format: 'prompt_completion',
  },
  'JSON with an error in a row': {
    file: 'a.json',
    content: `[${pair('a')},\n{\n"prompt" "b"\n}]`,
    lines: [1, 2],
    fails: { line: 3, row: 2, message: /^invalid JSON/ },
  },
  'JSON lists in a list': {
    file: 'a.json',
    content: `[${pair('a')},\n[${pair('a')}]]`,
    lines: [1, 2],
    fails: { line: 2, message: /this is a list/ },
  },
  'JSON with an unclosed list': {
    file: 'a.json',
    content: `[${pair('a')},\n${pair('c')}\n\n`,
    lines: [1, 2],
    fails: { line: 2, message: /^invalid JSON: Unexpected end/ },
  },
  'JSON with a trailing comma': {
    file: 'a.json',
    content: `[${pair('a')},\n${pair('c')},\n]`,
    lines: [1, 2],
    fails: { line: 2, message: /^invalid JSON: a comma after the last row/ },
  },
  'JSON with an extra comma': {
    file: 'a.json',
    content: `[${pair('a')},\n, ${pair('c')}]`,
    lines: [1, 2],
    fails: { line: 2, message: /^invalid JSON: a comma without a row/ },
  },
  'JSON with content after the list': {
    file: 'a.json',
    content: `[${pair('a')},\n${pair('c')}]\n{"data": [${pair('x')}]}`,
    lines: [1, 2],
    fails: { line: 3, message: /^invalid JSON: Unexpected non-whitespace/ },
  },
  'JSON with an error outside the rows': {
    file: 'a.json',
    content: `{"data": [\n${pair('a')}\n],\n"more" 5}`,
    lines: [2],
    fails: { line: 4, message: /^invalid JSON: / },
  },
  'JSON with two lists of rows': {
    file: 'a.json',
    content: `{"data": [${pair('a')}],\n"data": [${pair('c')}]}`,
    lines: [1],
    fails: { line: 2, message: /more than one list of rows/ },
  },
  'JSON without a list of rows': {
    file: 'a.json',
    content: `{"rows": [${pair('a')}]}`,
    lines: [],
    fails: { line: null, message: /neither a list of rows nor/ },
  },
  'JSON Lines with the extension of JSON': {
    file: 'a.json',
    content: `${pair('a')}\n${pair('c')}\n`,
    lines: [],
    fails: { line: 2, message: /^invalid JSON: Unexpected non-whitespace/ },
  },
  'CSV with quotes, line breaks in them, CRLF, empty lines and a byte order mark': {
    file: 'a.csv',
    content: '\ufeffprompt,completion\r\n"a, ""b""",c\r\n\r\n"line\r\nbreak", d \r\n,e',
    lines: [2, 4, 6],
    format: 'prompt_completion',
  },
  'CSV with the line breaks of an old Mac': {
    file: 'a.csv',
    content: 'prompt,completion\ra,b\r"c\rd",e\rf,g\r',
    lines: [2, 3, 5],
    format: 'prompt_completion',
  },
  'CSV with an extra field': {
    file: 'a.csv',
    content: 'prompt,completion\na,b\n"c\n",d,e\nf,g\n',
    lines: [2, 3, 5],
    fails: { line: 3, message: /has 3 fields, the header 2/ },
  },
  'CSV with a quote in the middle': {
    file: 'a.csv',
    content: 'prompt,completion\na,b\na,5" disk\n',
    lines: [2, 3],
    fails: { line: 3, message: /quote but isn/ },
  },
  'CSV with an unclosed quote': {
    file: 'a.csv',
    content: 'prompt,completion\na,b\nc,"d\ne,f\n',
    lines: [2, 3],
    fails: { line: 3, message: /never closed/ },
  },
  'CSV with a broken header': {
    file: 'a.csv',
    content: '\nprompt,"completion"s\na,b\n',
    lines: [3],
    fails: { line: 2, row: 3, message: /the header can't be read: field 2/ },
  },
  'CSV that is Latin-1': {
    file: 'a.csv',
    content: latin1('prompt,completion\na,b\n\xe9,b\n'),
    lines: [2, 3],
    fails: { line: 3, message: /not valid UTF-8/ },
  },
  'Parquet with row groups, nested lists, nulls and 64-bit integers': {
    file: 'a.parquet',
    content: fixture('test/fixtures/datasets/messages.parquet'),
    lines: [1, 2, 3, 4, 5],
    format: 'messages',
  },
  'a Parquet file that is not Parquet': {
    file: 'a.parquet',
    content: 'PAR1 nothing of the kind PAR1',
    lines: [],
    fails: { line: null, message: /Parquet file can't be read/ },
  },
  'a truncated Parquet file': {
    file: 'a.parquet',
    content: fixture('test/fixtures/datasets/messages.parquet').subarray(0, 300),
    lines: [],
    fails: { line: null, message: /Parquet file can't be read/ },
  },
};

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tunewright-stack-'))));
afterAll(() => rmSync(folder, { recursive: true }));

interface TrainingRow {
  line: number;
  tokens: number;
  turns: unknown;
}

/** What training reads from the file until its end or an error. */
async function train(path: string) {
  const rows: TrainingRow[] = [];
  let format: string | null = null;
  let contentHash: string | null = null;
  const values: unknown[] = [];
  try {
    for await (const { row } of readRows(path)) values.push(row);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  try {
    const onHash = (hash: string) => (contentHash = hash);
    for await (const { encoded, source, resolved } of encodeRows({ file: path, config: READING, tokenizer, onHash })) {
      format = resolved.name;
      const example: Example = resolved.parse(values[rows.length] as Record<string, unknown>, source);
      rows.push({ line: source.line, tokens: encoded.labels.length, turns: turnsOf(example, 'completions') });
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { rows, format, contentHash, error };
  }
  return { rows, format, contentHash, error: null };
}

async function preview(source: SourceDescription) {
  const dataset = new AnalysedDataset(
    () => {},
    async () => null,
  );
  dataset.start(source, {
    ...{ format: 'auto', columns: {}, maxLength: 100_000, trainOn: 'completions', truncation: 'end' },
    ...{ chatTemplate: null, tokenizerFolder: tiny, compareWith: null },
  });
  const rows = await dataset.rows(1000);
  const details = await Promise.all(rows.map(({ row }) => dataset.detail(row)));
  const problems = (await dataset.problems(1000)).map(({ line, findings }) => ({
    line,
    findings: findings.filter(({ code }) => code === 'invalid_json' || code === 'invalid_row'),
  }));
  const { format, error, phase, contentHash } = dataset.summary();
  await dataset.close();
  return {
    rows: rows.map(({ line, tokens }, i) => ({ line, tokens, turns: details[i]!.turns })),
    problems: problems.filter(({ findings }) => findings.length > 0),
    ...{ format: format?.name ?? null, error, phase, contentHash },
  };
}

test('every file type has files in the table', () => {
  const used = new Set(Object.values(cases).map(({ file }) => file.slice(1)));
  expect([...used].sort()).toEqual([...ROW_FILE_EXTENSIONS].sort());
});

describe.each(Object.entries(cases))('%s', (_name, { file, content, lines, format, fails }) => {
  const written = (): string => {
    const path = join(folder, file);
    writeFileSync(path, content);
    return path;
  };

  test('is read by training', async () => {
    const path = written();
    const { rows, format: found, error } = await train(path);
    if (format) expect(found).toBe(format);
    if (fails) {
      const where = fails.line === null ? path : `${path}:${fails.line}`;
      expect(error).toMatchObject({ where, message: expect.stringMatching(fails.message) });
      expect(lines).toEqual(expect.arrayContaining(rows.map(({ line }) => line)));
    } else if (lines.length === 0) {
      expect(error).toMatchObject({ where: path, message: expect.stringContaining('the dataset is empty') });
    } else {
      expect(error).toBeNull();
      expect(rows.map(({ line }) => line)).toEqual(lines);
    }
  });

  test('is read the same by the preview', async () => {
    const path = written();
    const trained = await train(path);
    const sources: SourceDescription[] = [{ kind: 'file', path }];
    const fileType = fileTypeOf(path)!;
    // An editor's content is text: encodings and file sizes don't apply.
    if (typeof content === 'string' && fileType !== 'parquet') sources.push({ kind: 'text', text: content, fileType });
    for (const source of sources) {
      const shown = await preview(source);
      expect(
        shown.rows.map(({ line }) => line),
        source.kind,
      ).toEqual(lines);
      expect(shown.rows.slice(0, trained.rows.length), source.kind).toEqual(trained.rows);
      if (trained.format) expect(shown.format).toBe(trained.format);
      if (!fails) {
        expect([shown.error, shown.problems]).toEqual([null, []]);
        if (source.kind === 'file' && lines.length > 0) expect(shown.contentHash).toBe(trained.contentHash);
        continue;
      }
      const { message, hint } = trained.error!;
      if (shown.error !== null) {
        // For a text there is no file to name.
        expect(shown.error).toBe(
          source.kind === 'file' ? trained.error!.describe() : new InputError(message, { hint }).describe(),
        );
      } else {
        const line = fails.row ?? fails.line;
        expect(shown.problems[0]).toMatchObject({ line, findings: [{ message, hint }] });
      }
    }
  });
});

test('rows after the sample don’t affect the format: others are invalid rows of it', async () => {
  const other = JSON.stringify({ text: 'a' });
  const path = join(folder, 'mixed.jsonl');
  writeFileSync(path, [...many(FORMAT_SAMPLE_ROWS, pair('a')), ...many(3 * FORMAT_SAMPLE_ROWS, other)].join('\n'));
  const trained = await train(path);
  const shown = await preview({ kind: 'file', path });
  expect([trained.format, shown.format]).toEqual(['prompt_completion', 'prompt_completion']);
  expect(trained.error).toMatchObject({ where: `${path}:${FORMAT_SAMPLE_ROWS + 1}` });
  expect(shown.problems).toHaveLength(3 * FORMAT_SAMPLE_ROWS);
  expect(shown.problems[0]).toMatchObject({
    line: FORMAT_SAMPLE_ROWS + 1,
    findings: [{ message: trained.error!.message }],
  });
});
