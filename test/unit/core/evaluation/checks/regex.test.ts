// Regular expressions of suites: RE2's syntax, in a time that is linear in the answer.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { linearRegExp } from '../../../../../extension/src/core/evaluation/checks/linearRegExp.js';
import { regex } from '../../../../../extension/src/core/evaluation/checks/regex.js';
import { InputError } from '../../../../../extension/src/core/inputError.js';

const matches = (value: string, text: string, options = {}) =>
  regex.prepare(regex.schema.parse({ value, ...options }))({ text, toolCalls: [], tokens: 1 }).passed;

it.each([
  ['ap+le', 'an apple a day', {}, true],
  ['^apple$', 'an apple', {}, false],
  ['^apple$', ' apple\n', {}, true],
  ['^apple$', 'an\napple', {}, false],
  ['(?m)^apple$', 'an\napple', {}, true],
  ['a.b', 'a\nb', {}, false],
  ['(?s)a.b', 'a\nb', {}, true],
  ['APPLE', 'apple', {}, false],
  ['APPLE', 'apple', { ignore_case: true }, true],
  ['É', 'é', { ignore_case: true }, true],
  ['^.$', '😀', {}, true],
  ['\\p{Greek}', 'α', {}, true],
  ['\\d', '٣', {}, false],
  ['(?<year>\\d{4})', 'in 1999', {}, true],
] as const)('%s in %j', (pattern, text, options, found) => expect(matches(pattern, text, options)).toBe(found));

const recorded = (name: string) => JSON.parse(readFileSync(`test/fixtures/evaluation/${name}.json`, 'utf8'));
const regexes: { pattern: string; found: boolean[] | null }[] = recorded('regexes');
const { searched }: { searched: string[] } = recorded('texts');

it.each(regexes)('as RE2: $pattern', ({ pattern, found }) => {
  if (!found) return expect(() => linearRegExp(pattern)).toThrow(InputError);
  const expression = linearRegExp(pattern);
  expect(searched.filter(text => expression.test(text))).toEqual(searched.filter((_, i) => found[i]));
  return undefined;
});

// Each takes a backtracking engine longer than anybody waits.
describe('patterns that are made to take long', () => {
  it.each([
    ['nested repeats', '(a+)+$', `${'a'.repeat(50_000)}b`],
    ['repeats side by side', '(x+x+)+y', 'x'.repeat(50_000)],
    ['optional separators', '^(\\w+\\s?)*$', `${'word '.repeat(5000)}!`],
    ['alternatives that overlap', '(a|aa)+$', `${'a'.repeat(20_000)}b`],
    ['several wildcards', '(.*)(.*)(.*)(.*)(.*)[^a]$', 'a'.repeat(10_000)],
    ['many optional parts', '(?:a?){500}a{500}b', 'a'.repeat(500)],
  ])('%s', (_, pattern, text) => expect(matches(pattern, text)).toBe(false));
});

it.each([
  ['look-ahead', '(?=a)b', '(?='],
  ['look-behind', '(?<!a)b', '(?<'],
  ['back-references', '(a)\\1', '\\1'],
  ['an open bracket', '[', 'missing closing ]'],
  ['many repeats', 'a{1001}', '{1001}'],
  ['repeats of repeats', '((a{100}){100}){100}', '{100}'],
  ['deep nesting', '('.repeat(5000), "can't be used"],
])('refuses %s', (_, pattern, part) => {
  expect(() => linearRegExp(pattern)).toThrow(InputError);
  expect(() => linearRegExp(pattern)).toThrow(part);
  expect(() => linearRegExp(pattern)).toThrow(/^.{1,250}$/);
});
