// Rows as Python prints them, against what Python reads and writes (test/fixtures/datasets/recordPythonLiterals.py).
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseJsonText, writeJsonText } from '../../../../extension/src/core/data/jsonText.js';
import { jsonOfPython } from '../../../../extension/src/core/data/pythonLiteral.js';

interface Case {
  text: string;
  /** null: Python refuses the text. */
  json: string | null;
}
const cases = JSON.parse(
  readFileSync(new URL('../../../fixtures/datasets/pythonLiterals.json', import.meta.url), 'utf8'),
) as Case[];
/** Texts next to each other are one in Python; nothing prints them so. */
const CONCATENATED = "{'a': 'x' 'y'}";

test.each(cases.filter(({ text }) => text !== CONCATENATED))('$text', ({ text, json }) => {
  const ours = jsonOfPython(text);
  if (json === null) return expect(ours).toBeNull();
  expect(ours).not.toBeNull();
  expect(writeJsonText(parseJsonText(ours!))).toBe(writeJsonText(parseJsonText(json)));
});

test('long integers keep their digits', () => {
  expect(jsonOfPython("{'id': 12345678901234567890}")).toBe('{"id":12345678901234567890}');
});

test('what is left alone: texts next to each other, triple quotes, very deep values', () => {
  expect(jsonOfPython(CONCATENATED)).toBeNull();
  expect(jsonOfPython("{'a': '''x'''}")).toBeNull();
  expect(jsonOfPython(`${"{'a': ".repeat(600)}1${'}'.repeat(600)}`)).toBeNull();
});

test('keys without quotes, as in JavaScript', () => {
  expect(jsonOfPython("{prompt: 'Hi', completion: 'Hello', n: 1,}")).toBe('{"prompt":"Hi","completion":"Hello","n":1}');
});
