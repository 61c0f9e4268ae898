// One stack reads rows for training and for the preview: for a table of valid and invalid files of every type, both
// have the same rows on the same lines, the same format and the same error messages. A new file type gets its files
// here.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Example, Row, RowSource } from '../../extension/src/core/data/example.js';
import { FORMAT_SAMPLE_ROWS } from '../../extension/src/core/data/resolveFormat.js';
import { fileTypeOf, ROW_FILE_EXTENSIONS } from '../../extension/src/core/data/rowFileTypes.js';
import { InputError } from '../../extension/src/core/inputError.js';
import { createTokenizer } from '../../extension/src/core/text/huggingFaceTokenizer.js';
import { encodeRows } from '../../extension/src/engine/data/loadDataset.js';
import { readRows } from '../../extension/src/engine/data/readRows.js';
import { readTokenizer } from '../../extension/src/engine/files/huggingfaceFolder.js';
import { AnalysedDataset } from '../../extension/src/host/datasets/worker/analysedDataset.js';
import { turnsOf } from '../../extension/src/core/data/exampleText.js';
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
  /** The first error: of a row, or of the whole file. */
  fails?: { line: number | null; column?: number; message: RegExp; row?: number };
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
    fails: { line: 3, column: 15, message: /^invalid JSON: a comma before }$/ },
  },
  'JSONL with half a row at the end': {
    file: 'a.jsonl',
    content: `${pair('a')}\n{"prompt": "a", "comp`,
    lines: [1, 2],
    fails: { line: 2, column: 17, message: /^invalid JSON: a text without a closing quote/ },
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
  'JSONL whose first line is cut off': {
    file: 'a.jsonl',
    content: `{"prompt": "a",\n${pair('a')}\n${pair('c')}\n`,
    lines: [1, 2, 3],
    fails: { line: 1, column: 16, message: /^invalid JSON: the end instead of a key/ },
  },
  'JSONL whose first line ends in a text': {
    file: 'a.jsonl',
    content: `{"prompt": "a\n${pair('a')}\n`,
    lines: [1, 2],
    fails: { line: 1, column: 12, message: /^invalid JSON: a text without a closing quote/ },
  },
  'JSONL with a list as its first line': {
    file: 'a.jsonl',
    content: `[1]\n${pair('a')}\n`,
    lines: [1, 2],
    fails: { line: 1, message: /must be a JSON object, but this is a list/ },
  },
  'JSONL with a broken list as its first line': {
    file: 'a.jsonl',
    content: `[oops\n${pair('a')}\n`,
    lines: [1, 2],
    fails: { line: 1, column: 2, message: /^invalid JSON: oops instead of a value/ },
  },
  'a list in a .jsonl file': {
    file: 'a.jsonl',
    content: `[\n${pair('a')},\n${pair('c')}\n]`,
    lines: [2, 3],
    format: 'prompt_completion',
  },
  'objects over several lines in a .jsonl file': {
    file: 'a.jsonl',
    content: `{\n  "prompt": "}{",\n  "completion": "b"\n}\n\n{\n  "prompt": "a",\n  "completion": "b"\n}`,
    lines: [1, 6],
    format: 'prompt_completion',
  },
  'objects over several lines, one without its end': {
    file: 'a.jsonl',
    content: `{\n  "prompt": "a",\n  "completion": "b"\n}\n{\n  "prompt": "a"\n{\n  "prompt": "a",\n  "completion": "b"\n}\n`,
    lines: [1, 5, 7],
    fails: { line: 6, row: 5, column: 16, message: /^invalid JSON: the end instead of a comma or }/ },
  },
  'objects over several lines, with something else between them': {
    file: 'a.json',
    content: `{\n  "prompt": "a",\n  "completion": "b"\n},\n${pair('c')}\n`,
    lines: [1, 4, 5],
    fails: { line: 4, column: 2, message: /^invalid JSON: , instead of a value/ },
  },
  'JSON Lines with NaN, the infinities and long integers': {
    file: 'a.jsonl',
    content: '{"prompt": "a", "completion": "b", "x": [NaN, -Infinity, Infinity, 12345678901234567890]}\n',
    lines: [1],
    format: 'prompt_completion',
  },
  'UTF-16 with a byte order mark': {
    file: 'a.jsonl',
    content: utf16(`\ufeff${chat}\n${chat}`),
    lines: [1, 2],
    format: 'messages',
  },
  'big-endian UTF-16 with a byte order mark': {
    file: 'a.json',
    content: utf16(`\ufeff[${chat},\n${chat}]`).swap16(),
    lines: [1, 2],
    format: 'messages',
  },
  'UTF-16 without a byte order mark': {
    file: 'a.csv',
    content: utf16('prompt,completion\né,b\n'),
    lines: [2],
    format: 'prompt_completion',
  },
  'compressed JSONL': {
    file: 'a.jsonl.gz',
    content: gzipSync(`${chat}\n\n${chat}\n`),
    lines: [1, 3],
    format: 'messages',
  },
  'a compressed file under the name of a plain one, in UTF-16': {
    file: 'a.jsonl',
    content: gzipSync(utf16(`\ufeff${chat}\n`)),
    lines: [1],
    format: 'messages',
  },
  'a compressed file that is cut off': {
    file: 'a.jsonl.gz',
    content: gzipSync(`${chat}\n`.repeat(1000)).subarray(0, 60),
    lines: [],
    fails: { line: null, message: /gzip file can't be unpacked/ },
  },
  'a Git LFS pointer': {
    file: 'a.jsonl',
    content: Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n'),
    lines: [],
    fails: { line: null, message: /a Git LFS pointer, not rows/ },
  },
  'an HTML page': {
    file: 'a.json',
    content: Buffer.from('\n <!doctype html><html></html>'),
    lines: [],
    fails: { line: null, message: /an HTML or XML page, not rows/ },
  },
  'a Parquet file under another name': {
    file: 'a.jsonl',
    content: fixture('test/fixtures/datasets/messages.parquet'),
    lines: [],
    fails: { line: null, message: /the file is a Parquet file, not rows/ },
  },
  'a ZIP archive': {
    file: 'a.csv',
    content: Buffer.from('PK\u0003\u0004 rest'),
    lines: [],
    fails: { line: null, message: /a ZIP archive, not rows/ },
  },
  'a Git LFS pointer in place of Parquet': {
    file: 'a.parquet',
    content: Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n'),
    lines: [],
    fails: { line: null, message: /a Git LFS pointer, not rows/ },
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
    fails: { line: 3, row: 2, column: 10, message: /^invalid JSON: " instead of a colon after a key/ },
  },
  'JSON with an error in a row that begins within its line': {
    file: 'a.json',
    content: `[{"prompt": "a",\n"completion": "é🙂"}, {"prompt" "b"},\n${pair('a')}]`,
    lines: [1, 2, 3],
    fails: { line: 2, column: 33, message: /^invalid JSON: " instead of a colon after a key/ },
  },
  'JSON with texts as rows': { file: 'a.json', content: '["x",\n"y"]', lines: [1, 2], format: 'text' },
  'JSON with one object': {
    file: 'a.json',
    content: '{\n  "prompt": "a",\n  "completion": "b"\n}',
    lines: [1],
    format: 'prompt_completion',
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
    fails: { line: 2, column: 32, message: /^invalid JSON: the list of rows is not closed/ },
  },
  'JSON with a trailing comma': {
    file: 'a.json',
    content: `[${pair('a')},\n${pair('c')},\n]`,
    lines: [1, 2],
    fails: { line: 2, column: 32, message: /^invalid JSON: a comma after the last row/ },
  },
  'JSON with an extra comma': {
    file: 'a.json',
    content: `[${pair('a')},\n, ${pair('c')}]`,
    lines: [1, 2],
    fails: { line: 2, column: 1, message: /^invalid JSON: a comma without a row/ },
  },
  'JSON with content after the list': {
    file: 'a.json',
    content: `[${pair('a')},\n${pair('c')}]\n{"data": [${pair('x')}]}`,
    lines: [1, 2],
    fails: { line: 3, column: 1, message: /^invalid JSON: { after the end of the value/ },
  },
  'JSON with an error outside the rows': {
    file: 'a.json',
    content: `{"data": [\n${pair('a')}\n],\n"more" 5}`,
    lines: [2],
    fails: { line: 4, column: 8, message: /^invalid JSON: 5 instead of a colon/ },
  },
  'JSON with two lists of rows': {
    file: 'a.json',
    content: `{"data": [${pair('a')}],\n"data": [${pair('c')}]}`,
    lines: [1],
    fails: { line: 2, column: 9, message: /more than one list of rows/ },
  },
  'JSON without a list of rows': {
    file: 'a.json',
    content: `{"rows": [${pair('a')}]}`,
    lines: [1],
    fails: { line: 1, message: /fits no dataset format \(it has rows\)/ },
  },
  'JSON Lines with the extension of JSON': {
    file: 'a.json',
    content: `${pair('a')}\n${pair('c')}\n`,
    lines: [1, 2],
    format: 'prompt_completion',
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
  'CSV with semicolons': {
    file: 'a.csv',
    content: '\ufeffprompt;completion\n"a; ""b""";c, d\n',
    lines: [2],
    format: 'prompt_completion',
  },
  'CSV with tabs': { file: 'a.csv', content: 'prompt\tcompletion\na\tb, c\n', lines: [2], format: 'prompt_completion' },
  'TSV with commas': {
    file: 'a.tsv',
    content: 'prompt\tcompletion\ta, b\na\tb\tc, "d\n',
    lines: [2],
    format: 'prompt_completion',
  },
  'CSV with a missing field': {
    file: 'a.csv',
    content: 'prompt,completion\na,b\nc\nd,e\n',
    lines: [2, 3, 4],
    fails: { line: 3, message: /"completion" is missing/ },
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
    format: 'prompt_completion',
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

/** What training reads from the file: its rows, the errors of rows that it leaves out, and the error that ends it. */
async function train(path: string) {
  const rows: TrainingRow[] = [];
  const errors: InputError[] = [];
  let format: string | null = null;
  let contentHash: string | null = null;
  const values = new Map<number, Row[]>();
  try {
    for await (const { row, source } of readRows(path, { onBadRow: () => {} }))
      values.set(source.line, [...(values.get(source.line) ?? []), row]);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  const onHash = (hash: string) => (contentHash = hash);
  const onBadRow = (error: InputError, { line }: RowSource) => {
    errors.push(error);
    values.get(line)?.shift();
  };
  try {
    const encodedRows = encodeRows({ file: path, config: READING, tokenizer, onHash, onBadRow });
    for await (const { encoded, source, resolved } of encodedRows) {
      format = resolved.name;
      const example: Example = resolved.parse(values.get(source.line)!.shift()!, source);
      rows.push({ line: source.line, tokens: encoded.labels.length, turns: turnsOf(example, 'completions') });
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { rows, format, contentHash, errors, fatal: error };
  }
  return { rows, format, contentHash, errors, fatal: null };
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
  const problems = (await dataset.problems(1000)).map(({ row, line, findings }) => ({
    ...{ row, line },
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
  const used = new Set(Object.values(cases).map(({ file }) => fileTypeOf(file)));
  expect(ROW_FILE_EXTENSIONS.filter(extension => !used.has(fileTypeOf(`a${extension}`)))).toEqual([]);
});

describe.each(Object.entries(cases))('%s', (_name, { file, content, lines, format, fails }) => {
  const written = (): string => {
    const path = join(folder, file);
    writeFileSync(path, content);
    return path;
  };

  test('is read by training', async () => {
    const path = written();
    const { rows, format: found, errors, fatal } = await train(path);
    if (format) expect(found).toBe(format);
    const [error = null] = [...errors, ...(fatal ? [fatal] : [])];
    if (fails) {
      const where = [path, fails.line, fails.column].filter(part => part != null).join(':');
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
      if (trained.format) expect(shown.format).toBe(trained.format);
      const isFatal = trained.fatal !== null && !trained.fatal.message.startsWith('the dataset is empty');
      if (isFatal) {
        const { message, hint } = trained.fatal!;
        // For a text there is no file to name.
        expect(shown.error ?? shown.problems[0].findings[0].message).toBe(
          shown.error === null
            ? message
            : source.kind === 'file'
              ? trained.fatal!.describe()
              : new InputError(message, { hint }).describe(),
        );
      } else expect(shown.error).toBeNull();
      if (shown.error !== null && shown.format === null) continue;
      const bad = isFatal && shown.error === null ? [trained.fatal!] : trained.errors;
      expect(shown.problems.flatMap(({ findings }) => findings).slice(0, bad.length)).toMatchObject(
        bad.map(({ message, hint }) => ({ message, hint })),
      );
      if (isFatal) continue;
      expect(shown.problems).toHaveLength(trained.errors.length);
      const problemLines = new Set(shown.problems.map(({ row }) => row));
      expect(shown.rows.filter((_, row) => !problemLines.has(row))).toEqual(trained.rows);
      if (source.kind === 'file' && lines.length > 0) expect(shown.contentHash).toBe(trained.contentHash);
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
  expect(trained.errors[0]).toMatchObject({ where: `${path}:${FORMAT_SAMPLE_ROWS + 1}` });
  expect(shown.problems).toHaveLength(3 * FORMAT_SAMPLE_ROWS);
  expect(shown.problems.map(({ findings }) => findings[0].message)).toEqual(
    trained.errors.map(({ message }) => message),
  );
});
