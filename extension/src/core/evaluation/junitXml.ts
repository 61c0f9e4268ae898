// A suite's results as JUnit XML, in the attributes that Surefire's schema requires and Jenkins, GitLab, GitHub actions and Azure read:
// a test suite for each model, a test case for each row. Pure.
import { describeSource } from '../data/example.js';
import type { JudgedModel } from './evaluationReport.js';
import type { JudgedRow } from './judgedRow.js';

/** @param suite name of the suite, which names the class of its test cases */
export function junitXml(suite: string, models: readonly JudgedModel[]): string {
  const tests = models.reduce((sum, { rows }) => sum + rows.length, 0);
  const failures = models.reduce((sum, { rows }) => sum + failuresOf(rows), 0);
  const all = { name: suite, tests, failures, errors: 0, time: secondsOf(models.flatMap(({ rows }) => rows)) };
  const suites = models.map(({ name, rows }) => testSuite(suite, name, rows));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${attributes(all)}>\n${suites.join('')}</testsuites>\n`;
}

function testSuite(suite: string, name: string, rows: readonly JudgedRow[]): string {
  const counts = { tests: rows.length, failures: failuresOf(rows), errors: 0, skipped: 0, time: secondsOf(rows) };
  const cases = rows.map(row => testCase(`${suite}.${name}`, row));
  return `  <testsuite${attributes({ name: `${suite} (${name})`, ...counts })}>\n${cases.join('')}  </testsuite>\n`;
}

function testCase(classname: string, row: JudgedRow): string {
  const opening = `    <testcase${attributes({ name: row.id, classname, time: row.seconds.toFixed(3) })}`;
  const failed = row.checks.filter(({ passed }) => !passed);
  if (failed.length === 0) return `${opening}/>\n`;
  const message = failed.map(({ type, reason }) => `${type}: ${reason}`).join('; ');
  const parts = [
    describeSource(row.at),
    ...failed.map(({ type, reason }) => `${type}: ${reason}`),
    ...(row.expected === null ? [] : [`Expected: ${row.expected}`]),
    `Answer: ${row.answer}`,
  ];
  const failure = `<failure${attributes({ message, type: failed[0]!.type })}>${escaped(parts.join('\n'))}</failure>`;
  return `${opening}>\n      ${failure}\n    </testcase>\n`;
}

function failuresOf(rows: readonly JudgedRow[]): number {
  return rows.filter(({ passed }) => !passed).length;
}

function secondsOf(rows: readonly JudgedRow[]): string {
  return rows.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(3);
}

function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value)).replace(/[\t\n\r]/g, c => `&#${c.charCodeAt(0)};`)}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** What XML 1.0 can't hold in any form. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

function escaped(text: string): string {
  return text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"]/g, character => ENTITIES[character]!);
}
