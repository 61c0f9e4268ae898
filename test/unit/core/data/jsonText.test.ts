import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  entriesInOrder,
  JsonFault,
  parseJsonText,
  writeJsonText,
} from '../../../../extension/src/core/data/jsonText.js';

function faultOf(text: string): JsonFault | null {
  try {
    parseJsonText(text);
    return null;
  } catch (error) {
    if (error instanceof JsonFault) return error;
    throw error;
  }
}

describe('as Python’s json.loads, recorded by test/fixtures/datasets/recordJson.py', () => {
  const recorded = parseJsonText(
    readFileSync(new URL('../../../fixtures/datasets/json.json', import.meta.url), 'utf8'),
  ) as { text: string; value?: unknown; error?: number }[];

  test.each(recorded)('$text', ({ text, value, error }) => {
    if (error === undefined) expect(parseJsonText(text)).toEqual(value);
    else expect(faultOf(text)).not.toBeNull();
  });

  test.each(recorded.filter(({ error }) => error !== undefined))('the position of the error: $text', each => {
    expect(faultOf(each.text)?.offset).toBe(OTHER_POSITIONS[each.text] ?? each.error);
  });
});

/** The comma instead of what follows it, and the backslash of an escape. */
const OTHER_POSITIONS: Record<string, number> = { '{"a":1,}': 6, '[1,]': 2, '"\\u12"': 1 };

test('the same with and without what needs care', () => {
  const value = { a: [1, -2.5, 'x\n"\\', null, true, { b: {}, c: [] }], d: 'é🙂' };
  for (const extra of [{}, { long: '1234567890123456' }])
    for (const indent of [undefined, 2]) {
      const text = JSON.stringify({ ...value, ...extra }, null, indent);
      expect(parseJsonText(text)).toEqual({ ...value, ...extra });
    }
});

test('what is written is what was read', () => {
  const text = '{"a":[9007199254740993,-12345678901234567890,1,null],"b":"integer 12"}';
  expect(writeJsonText(parseJsonText(text))).toBe(text);
  expect(writeJsonText({ a: [1n, Object(2), Object(-0.5)] }, 1)).toBe('{\n "a": [\n  1,\n  2.0,\n  -0.5\n ]\n}');
});

test.each([
  ['1.0', 1],
  ['-2.00', -2],
  ['1e3', 1000],
  ['1.50E1', 15],
  ['-0.0', -0],
])('%s is a float, though it is whole', (text, value) => {
  const [read] = parseJsonText(`[${text}]`) as [unknown];
  expect(read).toBeInstanceOf(Number);
  expect((read as number).valueOf()).toBe(value);
  expect(JSON.stringify(parseJsonText(`{"a": ${text}}`))).toBe(JSON.stringify({ a: value }));
});

test('-0 is the integer 0, other numbers are plain', () => {
  expect(parseJsonText('[-0, 10, 0.5, 1.25e1, "1.0"]')).toEqual([0, 10, 0.5, 12.5, '1.0']);
});

test('the order of keys is that of the text, also in a copy', () => {
  const read = parseJsonText('{"b": 1, "10": 2, "9": {"2": 3, "1": 4}, "b": 5}') as Record<string, object>;
  expect(entriesInOrder(read).map(([key]) => key)).toEqual(['b', '10', '9']);
  expect(entriesInOrder({ ...read, 1: 0 }).map(([key]) => key)).toEqual(['b', '10', '9', '1']);
  expect(entriesInOrder(read['9']!).map(([key]) => key)).toEqual(['2', '1']);
  expect(Object.keys(read)).toEqual(['9', '10', 'b']);
  expect(JSON.stringify(read)).toBe('{"9":{"1":4,"2":3},"10":2,"b":5}');
});

test('half a surrogate pair is an error, as for Arrow, since no tokenizer can encode it', () => {
  expect(faultOf('{"a": "x\\ud83d"}')?.offset).toBe(6);
  expect(faultOf('["\\ude42\\ud83d"]')).not.toBeNull();
});

test('a value that is nested too deeply is an error, not a crash', () => {
  expect(faultOf(`${'['.repeat(100_000)}NaN`)?.found).toMatch(/more than 500 values/);
  expect(faultOf('['.repeat(100_000) + ']'.repeat(100_000))?.found).toMatch(/more than 500 values/);
  expect(faultOf('{"a":'.repeat(600) + '1' + '}'.repeat(600))?.found).toMatch(/more than 500 values/);
  const flat = [Array.from({ length: 1000 }, () => ({ text: '[[[{{{"\\' })), '['.repeat(1000)];
  expect(parseJsonText(JSON.stringify(flat))).toEqual(flat);
});
