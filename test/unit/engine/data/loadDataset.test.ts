import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeDataset } from '../../../../extension/src/engine/data/describeDataset.js';
import { loadDataset, type LoadDatasetOptions } from '../../../../extension/src/engine/data/loadDataset.js';
import { formatByName } from '../../../../extension/src/core/data/resolveFormat.js';
import type { InputError } from '../../../../extension/src/core/inputError.js';
import { sourceHash } from '../../../../extension/src/engine/data/sourceHash.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const gpt2 = fixtureTokenizer('gpt2');
const smollm = fixtureTokenizer('smollm');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-dataset-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function jsonl(name: string, rows: unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map(row => JSON.stringify(row) + '\n').join(''));
  return path;
}

type Overrides = Partial<LoadDatasetOptions['config']> & Partial<Omit<LoadDatasetOptions, 'config'>>;

async function load(file: string, overrides: Overrides = {}) {
  const warnings: string[] = [];
  const { format = 'auto', columns = {}, max_length = 64, train_on = 'completions' } = overrides;
  const { truncation = 'end', on_bad_row = 'skip' } = overrides;
  const dataset = await loadDataset({
    file,
    tokenizer: gpt2,
    role: 'train',
    onWarning: (code, message) => warnings.push(`${code}: ${message.replaceAll(folder + '/', '')}`),
    ...overrides,
    config: { format, columns, max_length, train_on, truncation, on_bad_row },
  });
  return { dataset, warnings };
}

test('an empty answer that is trained on is a warning with its place', async () => {
  const pairs = [' is red.', ''].map(completion => ({ prompt: 'The weather', completion }));
  const { dataset, warnings } = await load(jsonl('empty.jsonl', pairs));
  expect(dataset.length).toBe(2);
  expect(warnings).toEqual([
    'rows_empty_answer: 1 row of the training set with an empty answer: the model is trained to say nothing there (empty.jsonl:2)',
  ]);
});

test('preference pairs are refused, by whichever answers to map', async () => {
  const file = jsonl('pairs.jsonl', [{ prompt: 'The weather', chosen: ' is red.', rejected: ' paints.' }]);
  for (const format of ['auto', 'preference'])
    await expect(load(file, { format })).rejects.toMatchObject({
      where: file,
      message: expect.stringContaining('nothing trains on the format preference yet'),
      hint: expect.stringContaining('{"completion": "chosen"}'),
    });
  const { dataset } = await load(file, { columns: { completion: 'chosen' } });
  expect([dataset.format, dataset.length]).toEqual(['prompt_completion', 1]);
});

const pair = (completion: string) => ({ prompt: 'The weather', completion });

describe('loadDataset', () => {
  test('rows in file order with their lines, statistics, hash and progress', async () => {
    const file = jsonl('a.jsonl', [pair(' is red.'), pair(' paints.')]);
    writeFileSync(file, '\n' + readFileSync(file, 'utf8'));
    const progress: number[] = [];
    const { dataset, warnings } = await load(file, { onProgress: ({ rows }) => progress.push(rows) });
    expect(warnings).toEqual([]);
    expect([dataset.length, dataset.format]).toEqual([2, 'prompt_completion']);
    expect(gpt2.decode(dataset.get(1).inputIds)).toBe('The weather paints.<|endoftext|>');
    expect(dataset.sourceOf(1)).toEqual({ file, line: 3 });
    const labels = [0, 1].flatMap(i => [...dataset.get(i).labels].filter(label => label >= 0));
    expect(dataset.stats).toEqual({
      rows: 2,
      tokens: dataset.lengthOf(0) + dataset.lengthOf(1),
      labelTokens: labels.length,
      truncated: 0,
      dropped: 0,
      allMasked: 0,
      bad: 0,
      excluded: 0,
      longest: Math.max(dataset.lengthOf(0), dataset.lengthOf(1)),
      contentHash: createHash('sha256').update(readFileSync(file)).digest('hex'),
    });
    expect(progress).toEqual([2]);
    dataset.close();
  });

  test('excluded rows are left out wherever they are, with their copies, and keep their places', async () => {
    const rows = [
      pair(' is red.'),
      pair(' paints.'),
      pair(' is red. '),
      { prompt: 1 },
      pair(' long'.repeat(40)),
      pair(' ends.'),
    ];
    const file = jsonl('excluded.jsonl', rows);
    const hash = (row: object) => sourceHash(formatByName('prompt_completion').parse({ ...row }, { file, line: 1 }));
    const hashes = new Set([rows[0]!, rows[4]!, pair(' is not here')].map(hash));
    const exclude = { file: 'q.quarantine', rows: [], hashes };
    const progress: string[] = [];
    const onProgress: LoadDatasetOptions['onProgress'] = ({ rows, excluded }) => progress.push(`${rows} ${excluded}`);
    // An excluded row may be too long.
    const { dataset, warnings } = await load(file, { exclude, onProgress, max_length: 20, truncation: 'error' });
    const lines = Array.from({ length: dataset.length }, (_, i) => dataset.sourceOf(i).line);
    const numbers = lines.map((_, i) => dataset.numberOf(i));
    expect([lines, numbers, dataset.excluded]).toEqual([
      [2, 6],
      [1, 5],
      [0, 2, 3],
    ]);
    expect(dataset.stats).toMatchObject({ rows: 2, excluded: 3, bad: 1, truncated: 0 });
    expect(progress).toEqual(['2 3']);
    expect(warnings).toContain(
      `rows_excluded: 3 rows of the training set excluded by q.quarantine (excluded.jsonl:1, excluded.jsonl:3, excluded.jsonl:5)`,
    );
    dataset.close();
    const all = { ...exclude, hashes: new Set(rows.filter((_, i) => i !== 3).map(hash)) };
    const error = await inputErrorOf(() => load(file, { exclude: all }));
    expect(error.message).toMatch(/no row of the dataset can be trained on:.*\n  5 rows excluded by q.quarantine/s);
  });

  test('truncation: truncated, dropped or an error, each reported with file and line', async () => {
    const long = pair(' is counting'.repeat(40));
    const file = jsonl('b.jsonl', [pair(' is red.'), long, pair(' paints.'), long]);
    const cut = await load(file);
    expect(cut.dataset.stats).toMatchObject({ rows: 4, truncated: 2, dropped: 0, longest: 64 });
    expect(cut.warnings).toEqual([
      'rows_truncated: 2 rows of the training set longer than max_length (64): truncated at the end (b.jsonl:2, b.jsonl:4)',
    ]);
    const dropped = await load(file, { truncation: 'drop', role: 'validation' });
    expect(dropped.dataset.stats).toMatchObject({ rows: 2, truncated: 0, dropped: 2 });
    expect(dropped.dataset.sourceOf(1).line).toBe(3);
    expect(dropped.warnings[0]).toMatch(
      /^rows_dropped: 2 rows of the validation set .* dropped \(b.jsonl:2, b.jsonl:4\)/,
    );
    await expect(load(file, { truncation: 'error' })).rejects.toMatchObject({
      where: `${file}:2`,
      message: expect.stringMatching(/the row has \d+ tokens, but dataset.max_length is 64/),
    });
  });

  test('rows with no token to train on are skipped and reported', async () => {
    const question = { messages: [{ role: 'user', content: 'Hi' }] };
    const answered = { messages: [...question.messages, { role: 'assistant', content: 'Hello' }] };
    const file = jsonl('c.jsonl', [answered, ...Array(7).fill(question)]);
    const { dataset, warnings } = await load(file, { tokenizer: smollm });
    expect(dataset.stats).toMatchObject({ rows: 1, allMasked: 7 });
    expect(warnings).toEqual([
      'rows_all_masked: 7 rows of the training set with no token to train on: skipped: 7 rows: no message is from the ' +
        'assistant (roles: user) (c.jsonl:2, c.jsonl:3, c.jsonl:4, c.jsonl:5, c.jsonl:6, ...)',
    ]);
    await expect(load(jsonl('d.jsonl', [question]), { tokenizer: smollm })).rejects.toThrow(/no row .* can be trained/);
  });

  test('truncation that leaves only masked tokens', async () => {
    const file = jsonl('e.jsonl', [{ prompt: 'The weather '.repeat(40), completion: 'x' }, pair(' y')]);
    const { dataset } = await load(file);
    expect(dataset.stats).toMatchObject({ rows: 1, truncated: 1, allMasked: 1 });
  });

  test('columns are mapped before the format is detected', async () => {
    const file = jsonl('f.jsonl', [{ question: 'Hi', answer: 'Hello' }]);
    const columns = { instruction: 'question', output: 'answer' };
    expect((await load(file, { columns })).dataset.format).toBe('alpaca');
    await expect(load(file, { columns: { ...columns, input: 'contxt' } })).rejects.toMatchObject({
      where: 'dataset.columns.input',
    });
  });

  test('with on_bad_row "error" all errors of a row name its file and line', async () => {
    const many = Array.from({ length: 25 }, () => pair(' x'));
    const strict = { on_bad_row: 'error' } as const;
    await expect(load(jsonl('g.jsonl', [...many, { prompt: 'a' }]), strict)).rejects.toMatchObject({
      where: expect.stringMatching(/g\.jsonl:26$/),
      message: expect.stringContaining('"completion" is missing'),
    });
    const messages = [{ role: 'user', content: 'a' }];
    await expect(load(jsonl('h.jsonl', [{ messages }]), strict)).rejects.toMatchObject({
      where: expect.stringMatching(/h\.jsonl:1$/),
      message: expect.stringContaining('no chat template'),
    });
    await expect(load(jsonl('i.jsonl', [{ input_ids: [1, 700] }]), strict)).rejects.toMatchObject({
      where: expect.stringMatching(/i\.jsonl:1$/),
    });
  });

  test('rows that can’t be used are left out, counted by reason, with their places', async () => {
    const good = Array.from({ length: 18 }, () => JSON.stringify(pair(' x')));
    const file = join(folder, 'bad.jsonl');
    writeFileSync(file, [...good, '{"prompt": "a"', '{"prompt": 1, "completion": "b"}'].join('\n'));
    const { dataset, warnings } = await load(file);
    expect(dataset.stats).toMatchObject({ rows: 18, bad: 2 });
    expect(warnings).toEqual([
      "rows_left_out: 2 rows of the training set can't be used, left out: " +
        '1 row: invalid JSON: the end instead of a comma or } (bad.jsonl:19); ' +
        '1 row: "prompt" must be a text, but is a number (bad.jsonl:20)',
    ]);
    // Rows keep their numbers and lines.
    const clean = await load(
      jsonl(
        'clean.jsonl',
        good.map(text => JSON.parse(text) as object),
      ),
    );
    expect(dataset.length).toBe(clean.dataset.length);
    expect(dataset.sourceOf(17).line).toBe(18);
  });

  test('more than a tenth of 20 or more rows is an error, except for a description', async () => {
    const rows = [...Array.from({ length: 18 }, () => pair(' x')), ...Array(3).fill({ prompt: 'a' })];
    const file = jsonl('tenth.jsonl', rows);
    const error = await load(file).catch((reason: InputError) => reason);
    expect(error).toMatchObject({
      where: `${file}:19`,
      message: expect.stringMatching(/^3 of 21 rows can't be used, more than a tenth:\n {2}3 rows: "compl/),
    });
    expect((await load(file, { anyShare: true })).dataset.stats).toMatchObject({ rows: 18, bad: 3 });
    expect((await load(jsonl('few.jsonl', rows.slice(3, 21)))).dataset.stats).toMatchObject({ rows: 15, bad: 3 });
  });

  test('the same reason with other values is counted once; many reasons are summed up', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ messages: [{ role: 'user' }, { role: `r${i}` }] }));
    const kinds = Array.from({ length: 20 }, (_, i) => ({
      messages: [{ role: 'user', content: 'a', ['x'.repeat(i)]: 1 }, Array(i).fill(0)],
    }));
    const error = await load(jsonl('kinds.jsonl', [...rows, ...kinds])).catch((reason: InputError) => reason);
    expect((error as InputError).message.split('\n')).toHaveLength(3);
  });

  test.each<[string, object[], Overrides, string[]]>([
    [
      'answers that begin after max_length',
      [{ prompt: 'The weather '.repeat(40), completion: 'x' }],
      { limitedBy: 'what the method leaves' },
      ['1 row whose answer begins after 64 tokens, what the method leaves (nothing.jsonl:1)'],
    ],
    [
      'rows that are dropped',
      [pair(' is counting'.repeat(40))],
      { truncation: 'drop' },
      ['1 row longer than max_length (64): dropped (nothing.jsonl:1)'],
    ],
    [
      'labels that are all masked, and other ids',
      [{ input_ids: [1, 2], labels: [-100, -100] }, { input_ids: [1, 99_999] }],
      { role: 'validation' },
      ['1 row: input_ids[1] is 99999', '1 row: all labels are -100 (nothing.jsonl:1)'],
    ],
    [
      'chats for a model without a chat template',
      [{ messages: [{ role: 'user', content: 'a' }] }, { messages: [{ role: 'user', content: 'b' }] }],
      {},
      ['2 rows: the model has no chat template', '(nothing.jsonl:1, nothing.jsonl:2)'],
    ],
    [
      'conversations without an answer, with roles that nothing knows, and with empty answers',
      [
        { messages: [{ role: 'user', content: 'a' }] },
        {
          messages: [
            { role: 'user', content: 'a' },
            { role: 'narrator', content: 'b' },
          ],
        },
        { prompt: [{ role: 'user', content: 'a' }], completion: [{ role: 'user', content: 'a' }], messages: null },
      ],
      { tokenizer: smollm },
      [
        '1 row: no message is from the assistant (roles: user) (nothing.jsonl:1)',
        '1 row: no message is from the assistant (roles: user, narrator), and "narrator" is unknown (nothing.jsonl:2)',
        '1 row: "messages" is missing',
      ],
    ],
  ])('a dataset without a row left says why: %s', async (_, rows, overrides, parts) => {
    const file = jsonl('nothing.jsonl', rows);
    const error = (await load(file, overrides).catch((reason: InputError) => reason)) as InputError;
    const what = overrides.role === 'validation' ? 'evaluated' : 'trained on';
    expect(error.message).toContain(`no row of the dataset can be ${what}:\n`);
    for (const part of parts) expect(error.message.replaceAll(`${folder}/`, '')).toContain(part);
  });

  test('turns that the template rewrites beyond recognition are reported', async () => {
    const turns = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    const chatTemplate =
      '{% for m in messages %}{{ m.role }}{% if m.role == "assistant" and not loop.last %}gone' +
      '{% else %}{{ m.content }}{% endif %}|{% endfor %}';
    const file = jsonl('j.jsonl', [{ messages: [...turns, ...turns] }]);
    const { warnings } = await load(file, { tokenizer: { ...gpt2, chatTemplate } });
    expect(warnings).toEqual([expect.stringMatching(/^turns_not_found: 1 row of the training set .*\(j.jsonl:1\)/)]);
  });

  test('equal whether the tokens are in memory or on disk', async () => {
    const file = jsonl(
      'k.jsonl',
      Array.from({ length: 300 }, (_, i) => pair(` is counting ${i}`.repeat(i % 5))),
    );
    const memory = (await load(file)).dataset;
    const disk = (await load(file, { memoryBytes: 0 })).dataset;
    expect(disk.stats).toEqual(memory.stats);
    for (let i = 0; i < memory.length; i++) expect(disk.get(i)).toEqual(memory.get(i));
    disk.close();
  });
});

test('describeDataset', async () => {
  const rows = Array.from({ length: 100 }, (_, i) => ({ input_ids: Array(i + 2).fill(3) }));
  const { dataset } = await load(jsonl('l.jsonl', rows), { max_length: 91 });
  expect(describeDataset(dataset)).toEqual({
    file: dataset.file,
    format: 'tokenized',
    rows: 100,
    tokens: dataset.stats.tokens,
    labelShare: (dataset.stats.tokens - 100) / dataset.stats.tokens,
    length: { min: 2, mean: dataset.stats.tokens / 100, p50: 51, p90: 91, p99: 91, max: 91 },
    problems: { bad: 0, truncated: 10, dropped: 0, allMasked: 0 },
  });
});
