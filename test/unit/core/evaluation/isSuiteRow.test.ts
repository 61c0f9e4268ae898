// Which files an editor treats as suites rather than as datasets.
import { expect, test } from 'vitest';
import { isSuiteFile } from '../../../../extension/src/core/evaluation/isSuiteRow.js';

const suiteRow = { prompt: 'a', checks: [{ type: 'exact', value: 'b' }] };

test.each([
  ['tone.eval.jsonl', [suiteRow], true],
  ['tone.eval.jsonl', [], true],
  ['one-wrong-row.eval.jsonl', [{ prompt: 'a' }, suiteRow, null], true],
  ['no-check-yet.eval.jsonl', [{ prompt: 'a', checks: [] }], true],
  ['unreadable.eval.jsonl', [null], true],
  ['a-split.eval.jsonl', [{ prompt: 'a', completion: 'b' }], false],
  ['tone.jsonl', [suiteRow], false],
  ['tone.eval.json', [suiteRow], false],
])('%s with %j: %s', (path, first, isSuite) => {
  expect(isSuiteFile(`/${path}`, first)).toBe(isSuite);
});
