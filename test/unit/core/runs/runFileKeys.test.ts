// What a run file that may be incomplete names.
import { expect, test } from 'vitest';
import { pathFields } from '../../../../extension/src/core/runs/runFileKeys.js';

test('the files that a run file names, each with its key; no shares, nulls and unfinished values', () => {
  const dataset = { train: '/a.jsonl', validation: 0.1, chat_template: null, suites: ['/s', 3, '/t'] };
  expect(pathFields({ dataset, method: { init_from: '/x/adapter' } })).toEqual([
    { field: 'dataset.train', path: '/a.jsonl' },
    { field: 'dataset.suites', path: '/s' },
    { field: 'dataset.suites', path: '/t' },
    { field: 'method.init_from', path: '/x/adapter' },
  ]);
  expect(pathFields({ dataset: 'train.jsonl' })).toEqual([]);
});
