import { expect, test } from 'vitest';
import { groupRuns } from '../../../../extension/src/host/views/runGroups.js';

const runs = ['/a/rows.jsonl', '/b/rows.jsonl', '/a/rows.jsonl', '/a/other.csv', ''].map((key, i) => ({ key, i }));

test('runs are grouped by what they have in common, in order', () => {
  const groups = groupRuns(runs, ({ key }) => key);
  expect(groups.map(({ title, runs: members }) => [title, members.map(({ i }) => i)])).toEqual([
    ['rows.jsonl', [0, 2]],
    ['rows.jsonl', [1]],
    ['other.csv', [3]],
    ['unknown', [4]],
  ]);
});

test('files of the same name are distinguished by their folders', () => {
  expect(groupRuns(runs, ({ key }) => key).map(({ detail }) => detail)).toEqual(['/a', '/b', '', '']);
});
