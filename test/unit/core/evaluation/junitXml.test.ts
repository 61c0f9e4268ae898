// JUnit XML: the elements and attributes of Surefire's and Jenkins' schemas, and text that no answer breaks.
import { expect, test } from 'vitest';
import { judgedRow } from '../../../../extension/src/core/evaluation/judgedRow.js';
import { junitXml } from '../../../../extension/src/core/evaluation/junitXml.js';
import { parseSuiteRow } from '../../../../extension/src/core/evaluation/suite.js';

const judged = (id: string, answer: string, seconds: number) => {
  const row = {
    id,
    prompt: 'p',
    expected: 'a "b" & <c>',
    checks: [{ type: 'exact' }, { type: 'max_tokens', value: 9 }],
  };
  const at = { file: 'tone.eval.jsonl', line: 4 };
  return judgedRow(parseSuiteRow(row, at), { text: answer, toolCalls: [], tokens: 3 }, seconds);
};

test('a test suite for each model, a test case for each row', () => {
  const models = [
    { name: 'base', rows: [judged('x', 'wrong\nanswer', 0.25), judged('y', 'a "b" & <c>', 1)] },
    { name: 'pirate', rows: [] },
  ];
  const reason = 'it is not &quot;a \\&quot;b\\&quot; &amp; &lt;c&gt;&quot;';
  expect(junitXml('tone.eval.jsonl', models)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="tone.eval.jsonl" tests="2" failures="1" errors="0" time="1.250">
  <testsuite name="tone.eval.jsonl (base)" tests="2" failures="1" errors="0" skipped="0" time="1.250">
    <testcase name="x" classname="tone.eval.jsonl.base" time="0.250">
      <failure message="exact: ${reason}" type="exact">tone.eval.jsonl:4
exact: ${reason}
Expected: a &quot;b&quot; &amp; &lt;c&gt;
Answer: wrong
answer</failure>
    </testcase>
    <testcase name="y" classname="tone.eval.jsonl.base" time="1.000"/>
  </testsuite>
  <testsuite name="tone.eval.jsonl (pirate)" tests="0" failures="0" errors="0" skipped="0" time="0.000">
  </testsuite>
</testsuites>
`);
});

test('characters that XML can’t have are replaced, line breaks of attributes kept', () => {
  const xml = junitXml('s', [{ name: 'm', rows: [judged('a\nb\u0000\ud800\ufffe😀', ']]>\u001b[31m', 0)] }]);
  expect(xml).toContain('name="a&#10;b\ufffd\ufffd\ufffd😀"');
  expect(xml).toContain('Answer: ]]&gt;\ufffd[31m');
});
