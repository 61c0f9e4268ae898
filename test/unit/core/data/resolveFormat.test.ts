import { describe, expect, test } from 'vitest';
import type { Row, SourcedRow } from '../../../../extension/src/core/data/example.js';
import { datasetFormats } from '../../../../extension/src/core/data/formats/registry.js';
import {
  checkColumns,
  formatByName,
  mapColumns,
  resolveFormat,
  untrainedFormat,
} from '../../../../extension/src/core/data/resolveFormat.js';

const detectFormat = (rows: SourcedRow[]) => resolveFormat(rows, 'auto', {}).format;
const sourced = (...rows: Row[]) => rows.map((row, i) => ({ row, source: { file: 'a.jsonl', line: i + 1 } }));

const rowOf: Record<string, Row> = {
  alpaca: { instruction: 'a', output: 'b' },
  sharegpt: { conversations: [{ from: 'human', value: 'a' }] },
  messages: { messages: [{ role: 'user', content: 'a' }], prompt: 'of another column' },
  prompt_completion: { prompt: 'a', completion: 'b' },
  preference: { prompt: 'a', chosen: 'b', rejected: 'c' },
  text: { text: 'a', id: 1 },
  tokenized: { input_ids: [1], labels: [1] },
};

describe('resolveFormat', () => {
  test.each(datasetFormats.map(format => format.name))('%s is detected', name => {
    expect(detectFormat(sourced(rowOf[name], rowOf[name])).name).toBe(name);
  });

  test('two formats that fit are an error that names both', () => {
    expect(() => detectFormat(sourced({ ...rowOf.alpaca, prompt: 'c', completion: 'd' }))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('more than one format: alpaca and prompt_completion'),
        hint: expect.stringContaining('dataset.format to "alpaca" or "prompt_completion"'),
      }),
    );
  });

  test.each(['alpaca', 'messages', 'sharegpt', 'prompt_completion'])(
    '%s with a text that a tool rendered from it, as in tatsu-lab/alpaca, is itself',
    name => {
      const row = { ...rowOf[name], text: 'Below is an instruction that describes a task.' };
      expect(detectFormat(sourced(row, row)).name).toBe(name);
    },
  );

  test('no format: the row, its fields, what each format needs, and the nearest name', () => {
    expect(() => detectFormat(sourced(rowOf.alpaca, { instructions: 'a', output: 'b' }))).toThrow(
      expect.objectContaining({
        where: 'a.jsonl:2',
        message: expect.stringContaining('it has instructions, output'),
        hint: expect.stringMatching(
          /Is "instructions" meant to be "instruction"\?[^]*alpaca: instruction, input\?, output/,
        ),
      }),
    );
    expect(() => detectFormat(sourced(rowOf.alpaca, rowOf.text))).toThrow(/of different formats/);
  });

  test('the format of most rows, unless all have to fit', () => {
    const rows = sourced(rowOf.alpaca, rowOf.text, rowOf.alpaca);
    expect(detectFormat(rows).name).toBe('alpaca');
    expect(() => resolveFormat(rows, 'auto', {}, true)).toThrow(/of different formats/);
  });

  const chat = [{ role: 'user', content: 'a' }];
  const turns = [{ from: 'human', value: 'a' }];
  test.each<[string, Row, string, Record<string, string>]>([
    ['GSM8K', { question: 'a', answer: 'b' }, 'alpaca', { instruction: 'question', output: 'answer' }],
    [
      'Dolly',
      { instruction: 'a', context: 'b', response: 'c', category: 'd' },
      'alpaca',
      { input: 'context', output: 'response' },
    ],
    [
      'LLaMA-Factory',
      { prompt: 'a', query: 'b', response: 'c', system: 'd' },
      'alpaca',
      { instruction: 'prompt', input: 'query', output: 'response' },
    ],
    ['LMSYS', { conversation: chat, model: 'a' }, 'messages', { messages: 'conversation' }],
    ['TRL', { conversations: chat }, 'messages', { messages: 'conversations' }],
    ['ShareGPT turns under messages', { messages: turns }, 'sharegpt', { conversations: 'messages' }],
  ])('columns of other tools: %s', (_, row, format, columns) => {
    expect(resolveFormat(sourced(row), 'auto', {})).toMatchObject({ format: { name: format }, columns });
    expect(resolveFormat(sourced(row), format, {}).columns).toEqual(columns);
  });

  test('other names only count for rows that fit no format as they are, and for columns that are not mapped', () => {
    expect(detectFormat(sourced({ text: 'a', question: 'b', answer: 'c' })).name).toBe('text');
    expect(resolveFormat(sourced({ question: 'a', answer: 'b' }), 'auto', { text: 'answer' })).toMatchObject({
      format: { name: 'text' },
      columns: { text: 'answer' },
    });
  });

  test('preference pairs, which nothing trains on: what to map', () => {
    const turns = [{ role: 'user', content: 'a' }];
    for (const [row, field] of [
      [{ prompt: 'a', chosen: 'b', rejected: 'c' }, 'completion'],
      [{ chosen: turns, rejected: turns }, 'messages'],
      [{ prompt: 'a', chosen: turns, rejected: turns }, 'messages'],
      [{ chosen: 'a b', rejected: 'a c' }, 'text'],
    ] as const) {
      const columns = { [field]: 'chosen' };
      const { format } = resolveFormat(sourced(row), 'auto', {});
      expect(untrainedFormat(format, sourced(row))).toMatchObject({
        message: expect.stringContaining(`nothing trains on the format ${format.name} yet`),
        hint: expect.stringContaining(JSON.stringify(columns).replace(':', ': ')),
      });
      const mapped = resolveFormat(sourced(row), 'auto', columns);
      expect(mapped.columns).toEqual(columns);
      expect(untrainedFormat(mapped.format, sourced(row))).toBeNull();
    }
  });

  test('rows in a list within an object are found', () => {
    expect(() => detectFormat(sourced({ train: [rowOf.alpaca], version: 1 }))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('The rows are probably in "train"') }),
    );
  });
});

test('an evaluation suite is no dataset, whatever format its rows would fit', () => {
  const checks = [{ type: 'exact', value: 'b' }];
  const suites = [
    { text: 'a', checks },
    { messages: [{ role: 'user', content: 'a' }], checks },
  ];
  for (const row of suites) {
    const rows = [{ row, source: { file: 'tone.eval.jsonl', line: 1 } }];
    for (const name of ['auto', 'text', 'messages'])
      expect(() => resolveFormat(rows, name, {})).toThrow('this is an evaluation suite');
  }
  const other = [{ row: { text: 'a', checks: ['spelling'] }, source: { file: 'a.jsonl', line: 1 } }];
  expect(resolveFormat(other, 'auto', {}).format.name).toBe('text');
});

test('formatByName suggests the nearest name', () => {
  expect(formatByName('text').name).toBe('text');
  expect(() => formatByName('alpacca')).toThrow(
    expect.objectContaining({ where: 'dataset.format', hint: expect.stringContaining('"alpaca"') }),
  );
});

describe('columns', () => {
  test('are renamed, also when swapped; others keep their names', () => {
    expect(mapColumns({ question: 'q', answer: 'a', id: 1 }, { instruction: 'question', output: 'answer' })).toEqual({
      instruction: 'q',
      output: 'a',
      id: 1,
    });
    expect(mapColumns({ prompt: 'b', completion: 'a' }, { prompt: 'completion', completion: 'prompt' })).toEqual({
      prompt: 'a',
      completion: 'b',
    });
  });

  test('an unknown field or column is an error in the run file', () => {
    const rows = sourced({ question: 'q', answer: 'a' });
    checkColumns({ instruction: 'question' }, null, rows);
    expect(() => checkColumns({ instructon: 'question' }, null, rows)).toThrow(
      expect.objectContaining({ where: 'dataset.columns.instructon', hint: expect.stringContaining('"instruction"') }),
    );
    expect(() => checkColumns({ instruction: 'questions' }, null, rows)).toThrow(/no column "questions"/);
    expect(() => checkColumns({ text: 'question' }, formatByName('alpaca'), rows)).toThrow(/the format alpaca has/);
  });
});

test('every format documents its fields', () => {
  for (const format of datasetFormats) {
    expect(
      format.fields.some(field => field.required),
      format.name,
    ).toBe(true);
    expect(
      format.fields.every(field => field.description.length > 10),
      format.name,
    ).toBe(true);
  }
});
