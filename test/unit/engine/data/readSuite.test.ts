// All faults of a suite's text at once, as editors show them.
import { expect, test } from 'vitest';
import { checkSuite } from '../../../../extension/src/engine/data/readSuite.js';

const row = (more: object) => JSON.stringify({ prompt: 'a', checks: [{ type: 'contains', value: 'b' }], ...more });

test('right rows are listed, and each wrong one has its line and key', async () => {
  const text = [
    row({ id: 'one' }),
    '',
    row({ checks: [{ type: 'contains', value: 'b' }, { type: 'regx' }] }),
    '{"prompt": ',
    row({ id: 'one' }),
    row({ max_new_tokens: 0 }),
    row({ checks: [{ type: 'regex', value: '(?=a)' }] }),
    row({}),
  ].join('\n');
  const { rows, faults } = await checkSuite('/tone.eval.jsonl', text);
  expect(rows.map(({ id, at }) => [id, at.line])).toEqual([
    ['one', 1],
    ['line 8', 8],
  ]);
  expect(faults.map(({ file, line, key }) => [file, line, key])).toEqual([
    ['/tone.eval.jsonl', 3, 'checks.1.type'],
    ['/tone.eval.jsonl', 4, undefined],
    ['/tone.eval.jsonl', 5, 'id'],
    ['/tone.eval.jsonl', 6, 'max_new_tokens'],
    ['/tone.eval.jsonl', 7, 'checks.0.value'],
  ]);
});

test('a text that is still empty has neither', async () => {
  expect(await checkSuite('/tone.eval.jsonl', ' \n\n')).toEqual({ rows: [], faults: [] });
});

test('a list that is not closed is a fault with its place', async () => {
  const { rows, faults } = await checkSuite('/tone.eval.jsonl', '[{"prompt": "a", "checks": []');
  expect(rows).toEqual([]);
  expect(faults.at(-1)).toMatchObject({ file: '/tone.eval.jsonl', message: expect.stringContaining('not closed') });
});
