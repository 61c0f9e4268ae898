// The dataset worker as a process: the extension host's requests, on files and on editor texts.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasetConfigSchema } from '../../../../extension/src/protocol/datasetConfig.js';
import { createTokenizer } from '../../../../extension/src/core/text/huggingFaceTokenizer.js';
import { describeDataset } from '../../../../extension/src/engine/data/describeDataset.js';
import { loadDataset } from '../../../../extension/src/engine/data/loadDataset.js';
import { readTokenizer } from '../../../../extension/src/engine/files/huggingfaceFolder.js';
import { DatasetWorkerClient, type OpenDataset } from '../../../../extension/src/host/datasets/datasetWorkerClient.js';
import type {
  DatasetSummary,
  ReadingSettings,
  SourceDescription,
} from '../../../../extension/src/host/datasets/worker/workerMessages.js';
import { bundleDatasetWorker, root, type BundledWorker } from '../../../support/datasetWorker.js';

const datasets = join(root, 'media/datasets');
const tiny = join(root, 'media/models/tiny');
const faults: Error[] = [];
let bundled: BundledWorker;
let client: DatasetWorkerClient;
let folder: string;

beforeAll(async () => {
  bundled = await bundleDatasetWorker();
  client = new DatasetWorkerClient(bundled.script, error => faults.push(error));
  folder = mkdtempSync(join(tmpdir(), 'tunewright-preview-'));
});
afterAll(() => {
  client.dispose();
  bundled.remove();
  rmSync(folder, { recursive: true });
  expect(faults).toEqual([]);
});

function settings(changes: Partial<ReadingSettings> = {}): ReadingSettings {
  return {
    format: 'auto',
    columns: {},
    maxLength: 512,
    trainOn: 'completions',
    truncation: 'end',
    chatTemplate: null,
    tokenizerFolder: tiny,
    compareWith: null,
    ...changes,
  };
}

class Opened {
  summaries: DatasetSummary[] = [];
  private wake = () => {};
  readonly dataset: OpenDataset;

  constructor(source: SourceDescription, reading: ReadingSettings) {
    this.dataset = client.open(source, reading, summary => {
      this.summaries.push(summary);
      this.wake();
    });
  }

  get last(): DatasetSummary {
    return this.summaries[this.summaries.length - 1];
  }

  async until(found: (summary: DatasetSummary) => boolean): Promise<DatasetSummary> {
    while (!this.summaries.some(found)) await new Promise<void>(resolve => (this.wake = resolve));
    return this.last;
  }

  ended(): Promise<DatasetSummary> {
    return this.until(({ phase }) => phase === 'ready' || phase === 'failed' || phase === 'stopped');
  }
}

async function withFile<T>(path: string, reading: ReadingSettings, use: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = new Opened({ kind: 'file', path }, reading);
  try {
    return await use(opened);
  } finally {
    opened.dataset.dispose();
  }
}

function write(name: string, ...lines: unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line)) + '\n').join(''));
  return path;
}

const chat = (...contents: string[]) => ({
  messages: contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })),
});

describe('counts are the engine’s', () => {
  test.each([
    'pirate.messages.jsonl',
    'haiku.sharegpt.json',
    'facts.csv',
    'facts.parquet',
    'questions.tokenized.jsonl',
    'stories.text.jsonl',
    'support-tone.alpaca.jsonl',
  ])('%s', async name => {
    const path = join(datasets, name);
    const loaded = await loadDataset({
      file: path,
      config: datasetConfigSchema.parse({ train: name, max_length: 512 }),
      tokenizer: createTokenizer(readTokenizer(tiny)!),
      role: 'train',
      onWarning: () => {},
    });
    const { format, rows, tokens, labelShare, length } = describeDataset(loaded);
    const { contentHash } = loaded.stats;
    await withFile(path, settings(), async opened => {
      const summary = await opened.ended();
      expect(summary).toMatchObject({ phase: 'ready', exact: true, rows, tokens, contentHash, longest: length.max });
      expect(summary.format?.name).toBe(format);
      expect(summary.labelShare).toBe(labelShare);
      expect(summary.median).toBe(length.p50);
      const listed = await opened.dataset.ask('list', { from: 0, to: rows });
      expect(listed.map(({ tokens }) => tokens)).toEqual(Array.from({ length: rows }, (_, i) => loaded.lengthOf(i)));
      expect(listed.map(({ line }) => line)).toEqual(Array.from({ length: rows }, (_, i) => loaded.sourceOf(i).line));
    });
    loaded.close();
  });
});

test.each(['end', 'drop'] as const)(
  'tokens that max_length cuts or drops are not counted, as in the engine: %s',
  async truncation => {
    const path = join(datasets, 'pirate.messages.jsonl');
    const loaded = await loadDataset({
      file: path,
      config: datasetConfigSchema.parse({ train: path, max_length: 30, truncation }),
      tokenizer: createTokenizer(readTokenizer(tiny)!),
      role: 'train',
      onWarning: () => {},
    });
    const { tokens, labelShare } = describeDataset(loaded);
    loaded.close();
    await withFile(path, settings({ maxLength: 30, truncation }), async opened => {
      expect(await opened.ended()).toMatchObject({ tokens, labelShare });
    });
  },
);

describe('problems', () => {
  test('each kind is found and reported with its line', async () => {
    const path = write(
      'problems.jsonl',
      chat('Hi', 'Hello.'),
      '{"messages": [',
      { text: 'another format' },
      chat('Hi', 'Hello.'),
      chat('A question without an answer'),
      chat('Tell me', 'a very long story '.repeat(40)),
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'narrator', content: 'y' },
        ],
      },
      chat('Why?', 'So.'),
      chat('And?', 'Well.'),
    );
    await withFile(path, settings({ maxLength: 64 }), async opened => {
      const summary = await opened.ended();
      expect(summary.problems).toEqual({
        invalid_json: 1,
        invalid_row: 1,
        wrong_role_order: 2,
        all_masked: 2,
        truncated_answer: 1,
        duplicate: 1,
      });
      const problems = await opened.dataset.ask('problems', { limit: 100 });
      expect(problems.map(({ line, findings }) => [line, findings.map(({ code }) => code)])).toEqual([
        [2, ['invalid_json']],
        [3, ['invalid_row']],
        [4, ['duplicate']],
        [5, ['wrong_role_order', 'all_masked']],
        [6, ['truncated_answer']],
        [7, ['wrong_role_order', 'all_masked']],
      ]);
      expect(problems[2].findings[0].related).toEqual({ line: 1 });
    });
  });

  test('rows that are also in the other file of the run, whatever its format', async () => {
    const rows = [
      { prompt: 'a?', completion: 'b' },
      { prompt: 'c?', completion: 'd' },
    ];
    const train = write('train.jsonl', ...rows, { prompt: 'e?', completion: 'f' });
    const validation = write('validation.csv', 'prompt,completion', 'x?,y', 'c?,d');
    await withFile(train, settings({ compareWith: validation }), async opened => {
      expect((await opened.ended()).problems).toEqual({ in_validation: 1 });
      const detail = await opened.dataset.ask('row', { row: 1 });
      expect(detail?.findings[0].related).toEqual({ line: 3, path: validation });
    });
    // Kept between analyses, and read again after a change.
    writeFileSync(validation, 'prompt,completion\na?,b\nc?,d\n');
    await withFile(train, settings({ compareWith: validation }), async opened => {
      expect((await opened.ended()).problems).toEqual({ in_validation: 2 });
    });
  });

  test('a file that is not a dataset has no format and no problems', async () => {
    const path = write('log.jsonl', { level: 'info' }, { level: 'warn' }, 'broken');
    await withFile(path, settings(), async opened => {
      expect(await opened.ended()).toMatchObject({ phase: 'ready', format: null, rows: 3, problems: {} });
    });
  });

  test('a missing file, and one that is not Parquet', async () => {
    await withFile(join(folder, 'gone.jsonl'), settings(), async opened => {
      expect((await opened.ended()).error).toContain('the file does not exist');
    });
    const path = join(folder, 'not.parquet');
    copyFileSync(join(datasets, 'facts.csv'), path);
    await withFile(path, settings(), async opened => {
      expect((await opened.ended()).error).toContain('Parquet');
    });
  });

  test('a fault of a row that has several lines, or follows others, is at its place in the file', async () => {
    const path = join(folder, 'places.json');
    writeFileSync(path, '[\n  {"prompt": "a", "completion": "b"},\n  {"prompt": "a",\n   "completion": oops}\n]\n');
    await withFile(path, settings(), async opened => {
      await opened.ended();
      const [{ findings }] = await opened.dataset.ask('problems', { limit: 10 });
      expect(findings).toMatchObject([{ code: 'invalid_json', place: { line: 4, column: 18 } }]);
    });
    const lines = join(folder, 'places.jsonl');
    writeFileSync(lines, `${'{"prompt": "a", "completion": "b"}\n'.repeat(4)}{"prompt": "a", "completion": "b",}\n`);
    await withFile(lines, settings(), async opened => {
      await opened.ended();
      const problems = await opened.dataset.ask('problems', { limit: 10 });
      const invalid = problems.flatMap(({ findings }) => findings).filter(({ code }) => code === 'invalid_json');
      expect(invalid).toMatchObject([{ place: { line: 5, column: 34 } }]);
      expect(invalid[0]!.message).not.toMatch(/line 1/);
    });
  });

  test('rows that Python printed are a dataset with problems; each row is on its line', async () => {
    const path = write(
      'python.jsonl',
      "{'prompt': 'a {', 'completion': \"it's\"}",
      "{'prompt': 'b', 'completion': 'c'}",
    );
    await withFile(path, settings(), async opened => {
      const summary = await opened.ended();
      expect(summary).toMatchObject({ rows: 2, problems: { invalid_json: 2 } });
      expect(summary.format?.name).toBe('prompt_completion');
    });
  });

  test('bytes that are not UTF-8', async () => {
    const path = join(folder, 'latin1.jsonl');
    writeFileSync(
      path,
      Buffer.concat([Buffer.from(`${JSON.stringify(chat('a', 'b'))}\n{"messages":"`), Buffer.of(0xe4, 0x22, 0x7d)]),
    );
    await withFile(path, settings(), async opened => {
      expect((await opened.ended()).problems).toEqual({ invalid_json: 1 });
      expect((await opened.dataset.ask('row', { row: 1 }))?.findings[0].message).toContain('UTF-8');
    });
  });
});

describe('edits', () => {
  const lines = Array.from({ length: 200 }, (_, i) => JSON.stringify(chat(`What is ${i}?`, `It is ${i}.`)));
  const source = (all: readonly string[]): SourceDescription => ({
    kind: 'text',
    text: all.join('\n'),
    fileType: 'jsonl',
  });

  test('only rows whose text has changed are analysed again', async () => {
    const opened = new Opened(source(lines), settings());
    await opened.ended();
    const edited = [...lines.slice(0, 50), '{"messages": []}', ...lines.slice(51, 120), ...lines.slice(121)];
    opened.summaries = [];
    await opened.dataset.ask('update', { source: source(edited), settings: settings() });
    expect(await opened.ended()).toMatchObject({ rows: 199, reusedRows: 198, problems: { invalid_row: 1 } });
    const rows = await opened.dataset.ask('rows', { limit: 1000 });
    const text = edited.join('\n');
    expect(rows.map(({ start, end }) => text.slice(start, end))).toEqual(edited);
    // Other settings: all rows are analysed again.
    opened.summaries = [];
    await opened.dataset.ask('update', { source: source(edited), settings: settings({ maxLength: 5 }) });
    expect(await opened.ended()).toMatchObject({ reusedRows: 0 });
    opened.dataset.dispose();
  });

  test('after rapid edits the result is that of the last', async () => {
    const opened = new Opened(source(lines), settings());
    for (let n = 1; n <= 20; n++) {
      await opened.dataset.ask('update', { source: source(lines.slice(0, n)), settings: settings() });
    }
    expect(await opened.dataset.ask('rows', { limit: 1000 })).toHaveLength(20);
    opened.dataset.dispose();
  });
});

describe('views', () => {
  const path = () =>
    write('views.jsonl', chat('one', 'a'), chat('two words', 'Moon, moon'), chat('three', 'b'), chat('one', 'a'));

  test('search, filter, sort by length and by problem', async () => {
    await withFile(path(), settings(), async opened => {
      await opened.ended();
      const view = { sort: 'position', descending: false, search: '', problem: null } as const;
      const shown = async (changes: object) => {
        const { rows } = await opened.dataset.ask('view', { view: { ...view, ...changes } });
        const listed = await opened.dataset.ask('list', { from: 0, to: 100 });
        expect(listed).toHaveLength(rows);
        return listed.map(({ line }) => line);
      };
      expect(await shown({})).toEqual([1, 2, 3, 4]);
      expect(await shown({ descending: true })).toEqual([4, 3, 2, 1]);
      expect(await shown({ search: 'MOON' })).toEqual([2]);
      expect(await shown({ search: 'nowhere' })).toEqual([]);
      expect((await shown({ sort: 'length', descending: true }))[0]).toBe(2);
      expect(await shown({ sort: 'problem', descending: true })).toEqual([4, 1, 2, 3]);
      expect(await shown({ problem: 'duplicate' })).toEqual([4]);
      expect(await shown({ problem: 'any' })).toEqual([4]);
    });
  });
});

describe('a large file', () => {
  // 40 MB: large enough to be sampled, small enough for a test.
  const rows = 60_000;
  let path: string;
  beforeAll(() => {
    const filler = 'The moon rises over the quiet sea. '.repeat(17);
    const lines = Array.from({ length: rows }, (_, i) => JSON.stringify({ prompt: `${i}?`, completion: filler }));
    path = join(folder, 'large.jsonl');
    writeFileSync(path, lines.join('\n'));
  });

  test('is sampled; its first rows arrive before it is indexed; the rest is counted on request', async () => {
    await withFile(path, settings(), async opened => {
      const first = await opened.until(({ rows }) => rows > 0);
      expect(first.phase).toBe('indexing');
      const listed = await opened.dataset.ask('list', { from: 0, to: 30 });
      expect(listed).toHaveLength(30);
      const sampled = await opened.ended();
      expect(sampled).toMatchObject({ phase: 'ready', rows, exact: false, problems: {} });
      expect(sampled.countedRows).toBeLessThan(rows / 4);
      const detail = await opened.dataset.ask('row', { row: 5 });
      expect(Math.abs(sampled.tokens / rows / detail!.tokens! - 1)).toBeLessThan(0.05);
      opened.summaries = [];
      await opened.dataset.ask('countAll', {});
      await opened.until(({ countedRows }) => countedRows > sampled.countedRows + 100);
      await opened.dataset.ask('stop', {});
      expect(opened.last.phase).toBe('stopped');
    });
  });

  test('stops on request, and reports that', async () => {
    await withFile(path, settings(), async opened => {
      await opened.until(({ phase }) => phase === 'analysing');
      await opened.dataset.ask('stop', {});
      expect(opened.last.phase).toBe('stopped');
      expect(await opened.dataset.ask('list', { from: rows - 1, to: rows })).toHaveLength(1);
    });
  });
});

test('the hash of a file is that of its bytes, as in the engine’s runs', async () => {
  const path = write('hashed.jsonl', { text: 'a' });
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  expect(await client.request('hash', { path })).toBe(hash('{"text":"a"}\n'));
  writeFileSync(path, 'another content');
  expect(await client.request('hash', { path })).toBe(hash('another content'));
  expect(await client.request('hash', { path: join(folder, 'gone') })).toBeNull();
});

test('a worker that does not answer is ended, and another one reads the dataset after the next edit', async () => {
  const seen: Error[] = [];
  const own = new DatasetWorkerClient(bundled.script, error => seen.push(error), 3000);
  const source = (text: string): SourceDescription => ({ kind: 'text', text, fileType: 'jsonl' });
  try {
    const dataset = own.open(source('{"text": "one"}'), settings(), () => {});
    expect(await dataset.ask('rows', { limit: 10 })).toHaveLength(1);
    const { pid } = (own as unknown as { worker: { pid: number } }).worker;
    process.kill(pid, 'SIGSTOP');
    await expect(dataset.ask('rows', { limit: 10 })).rejects.toThrow('the dataset worker has ended');
    expect(seen.map(error => error.message)).toEqual(['the dataset worker did not answer for 3 s and was ended']);
    await dataset.ask('update', { source: source('{"text": "one"}\n{"text": "two"}'), settings: settings() });
    expect(await dataset.ask('rows', { limit: 10 })).toHaveLength(2);
  } finally {
    own.dispose();
  }
});

test(
  'a chat template and a tokenizer that never end are problems of the rows, and the worker goes on',
  { timeout: 120_000 },
  async () => {
    const endless = join(folder, 'endless');
    mkdirSync(endless, { recursive: true });
    const tokenizer = JSON.parse(readFileSync(join(tiny, 'tokenizer.json'), 'utf8'));
    const pattern = { type: 'Split', pattern: { Regex: '(a+)+!' }, behavior: 'Isolated', invert: false };
    writeFileSync(join(endless, 'tokenizer.json'), JSON.stringify({ ...tokenizer, pre_tokenizer: pattern }));
    copyFileSync(join(tiny, 'tokenizer_config.json'), join(endless, 'tokenizer_config.json'));
    const row = JSON.stringify({
      messages: [
        { role: 'user', content: 'a'.repeat(40) },
        { role: 'assistant', content: 'b' },
      ],
    });
    const problemsWith = async (changes: Partial<ReadingSettings>) => {
      const dataset = client.open({ kind: 'text', text: row, fileType: 'jsonl' }, settings(changes), () => {});
      const [problem] = await dataset.ask('problems', { limit: 1 });
      dataset.dispose();
      return problem?.findings.map(({ message }) => message).join();
    };
    expect(await problemsWith({ chatTemplate: '{% for i in range(10**9) %}x{% endfor %}' })).toMatch(/Range too big/);
    expect(await problemsWith({ tokenizerFolder: endless })).toMatch(/the tokenizer fails .* it takes more than/);
    expect(await problemsWith({})).toBeUndefined();
  },
);

test('a row that is nested 100,000 deep is a problem of this row', async () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  const call = `{"type":"function","function":{"name":"f","arguments":${deep}}}`;
  const rows = [
    '{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}',
    `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y","tool_calls":[${call}]}]}`,
  ];
  const dataset = client.open({ kind: 'text', text: rows.join('\n'), fileType: 'jsonl' }, settings(), () => {});
  expect(await dataset.ask('rows', { limit: 10 })).toHaveLength(2);
  const problems = await dataset.ask('problems', { limit: 10 });
  expect(problems.map(({ line }) => line)).toEqual([2]);
  dataset.dispose();
});
