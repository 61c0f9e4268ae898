import { describe, expect, test } from 'vitest';
import type { Row } from '../../../../extension/src/core/data/example.js';
import { datasetFormats } from '../../../../extension/src/core/data/formats/registry.js';
import {
  checkColumns,
  detectFormat,
  formatByName,
  mapColumns,
} from '../../../../extension/src/core/data/resolveFormat.js';

const sourced = (...rows: Row[]) => rows.map((row, i) => ({ row, source: { file: 'a.jsonl', line: i + 1 } }));

const rowOf: Record<string, Row> = {
  alpaca: { instruction: 'a', output: 'b' },
  sharegpt: { conversations: [{ from: 'human', value: 'a' }] },
  messages: { messages: [{ role: 'user', content: 'a' }], prompt: 'of another column' },
  prompt_completion: { prompt: 'a', completion: 'b' },
  text: { text: 'a', id: 1 },
  tokenized: { input_ids: [1], labels: [1] },
};

describe('detectFormat', () => {
  test.each(datasetFormats.map(format => format.name))('%s is detected', name => {
    expect(detectFormat(sourced(rowOf[name], rowOf[name])).name).toBe(name);
  });

  test('two formats that fit are an error that names both', () => {
    expect(() => detectFormat(sourced({ ...rowOf.alpaca, text: 'c' }))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('more than one format: alpaca and text'),
        hint: expect.stringContaining('dataset.format to "alpaca" or "text"'),
      }),
    );
  });

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
