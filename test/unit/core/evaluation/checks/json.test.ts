// Answers that have to be JSON: the schemas that are checked, and those that are refused rather than checked in part.
import { readFileSync } from 'node:fs';
import { expect, it, test } from 'vitest';
import { json } from '../../../../../extension/src/core/evaluation/checks/json.js';
import { InputError } from '../../../../../extension/src/core/inputError.js';

const judge = (options: object, text: string) =>
  json.prepare(json.schema.parse(options))({ text, toolCalls: [], tokens: 1 });

it.each([
  [{}, ' {"a": 1}\n', true],
  [{}, '"text"', true],
  [{}, '{"a": 1,}', false],
  [{}, "{'a': 1}", false],
  [{}, 'NaN', false],
  [{}, 'Here: {"a": 1}', false],
  [{}, '```json\n{"a": 1}\n```', false],
  [{ code_block: true }, '```json\n{"a": 1}\n```', true],
  [{ code_block: true }, '```\n{"a": 1}```', true],
  [{ code_block: true }, '{"a": 1}', true],
  [{ code_block: true }, 'Here:\n```json\n{"a": 1}\n```', false],
  [{ schema: { type: 'object', required: ['a'] } }, '{"b": 1}', false],
  [{ schema: { properties: { a: { type: 'integer' } } } }, '{"a": 1.0}', true],
  [{ schema: { properties: { a: { type: 'integer' } } } }, '{"a": 1.5}', false],
  [{ schema: { properties: { a: { enum: ['x', 'y'] } }, additionalProperties: false } }, '{"b": "x"}', false],
  [{ schema: { type: ['string', 'null'] } }, 'null', true],
  [{ schema: { $defs: { n: { minimum: 3 } }, items: { $ref: '#/$defs/n' } } }, '[3, 2]', false],
  [{ schema: { prefixItems: [{ type: 'string' }] } }, '[1]', false],
  [{ schema: { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }] } }, '[1]', false],
  [{ schema: { properties: { a: { pattern: '^x' }, b: { pattern: '^y' } } } }, '{"a": "x", "b": "y"}', true],
  [{ schema: { properties: { a: { pattern: '^x' }, b: { pattern: '^y' } } } }, '{"a": "x", "b": "x"}', false],
  [{ schema: { patternProperties: { '^x': { type: 'number' } } } }, '{"xy": "1"}', false],
  [{ schema: { required: ['toString'] } }, '{}', false],
  [{ schema: { not: {} } }, '1', false],
] as const)('%j: %s', (options, text, passed) => expect(judge(options, text).passed).toBe(passed));

test('a pattern that is made to take long', () => {
  expect(judge({ schema: { pattern: '^(a+)+$' } }, `"${'a'.repeat(20_000)}b"`).passed).toBe(false);
});

const recorded = (name: string) => JSON.parse(readFileSync(`test/fixtures/evaluation/${name}.json`, 'utf8'));
const schemas: { schema: object; valid: boolean[] }[] = recorded('schemas');
const { values }: { values: string[] } = recorded('texts');

it.each(schemas)('as jsonschema: $schema', ({ schema, valid }) => {
  const prepared = json.prepare(json.schema.parse({ schema }));
  const passed = values.filter(text => prepared({ text, toolCalls: [], tokens: 1 }).passed);
  expect(passed).toEqual(values.filter((_, i) => valid[i]));
});

test('says what is wrong and where', () => {
  const schema = { properties: { a: { items: { type: 'number' } } } };
  expect(judge({ schema }, '{"a": [1, "2"]}').reason).toBe('its JSON at /a/1 must be number');
  expect(judge({ schema }, '{').reason).toMatch(/^it is not JSON: /);
});

it.each([
  [{ type: 'text' }, 'type'],
  [{ tipe: 'string' }, 'tipe'],
  [{ type: 'string', format: 'date' }, 'format'],
  [{ $ref: 'https://example.org/schema.json' }, 'example.org'],
  [{ pattern: '(?=a)' }, '(?='],
  [{ $ref: '#/$defs/none' }, '$defs/none'],
])('refuses %j', (schema, part) => {
  expect(() => judge({ schema }, '1')).toThrow(InputError);
  expect(() => judge({ schema }, '1')).toThrow(part);
});

test('two checks may have schemas of one $id', () => {
  const $id = 'https://example.org/a.json';
  expect(judge({ schema: { $id, type: 'string' } }, '1').passed).toBe(false);
  expect(judge({ schema: { $id, type: 'number' } }, '1').passed).toBe(true);
  expect(() => judge({ schema: { $id, tipe: 'number' } }, '1')).toThrow('tipe');
  expect(judge({ schema: { $id, type: 'string' } }, '"a"').passed).toBe(true);
});

test('a schema that refers to itself without end is an error', () => {
  expect(() => judge({ schema: { $ref: '#' } }, '1')).toThrow('refers to itself without end');
});
