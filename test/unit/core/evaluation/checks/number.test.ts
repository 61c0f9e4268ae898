// Which numbers a text has, and when one is near enough.
import { describe, expect, it, test } from 'vitest';
import { number, numbersOf } from '../../../../../extension/src/core/evaluation/checks/number.js';

it.each<[string, number[]]>([
  ['The answer is 42.', [42]],
  ['-5 and +3', [-5, 3]],
  ['\u22125 degrees', [-5]],
  ['3-4 is subtraction', [3, 4]],
  ['(3)-4', [3, 4]],
  ['x = -4', [-4]],
  ['1,250,000.5 of 2,000', [1250000.5, 2000]],
  ['1, 2, 3', [1, 2, 3]],
  ['1,2,3', [1, 2, 3]],
  ['12,34', [12, 34]],
  ['1,2345', [1, 2345]],
  ['$1,250.25!', [1250.25]],
  ['-$5, $-6, 7€', [-5, -6, 7]],
  ['.5 or 0.5 or 5.', [0.5, 0.5, 5]],
  ['it is...5', [5]],
  ['1e3, 2.5E-2, 7e', [1000, 0.025, 7]],
  ['1.2.3', [1.2]],
  ['B12, H2O, v2, snake_3', []],
  ['5kg, 50%, 3rd', [5, 50, 3]],
  ['#### 18', [18]],
  ['**7**', [7]],
  ['\\boxed{9}', [9]],
  ['1/2', [1, 2]],
  ['1e999', []],
  ['', []],
])('%j', (text, numbers) => expect(numbersOf(text)).toEqual(numbers));

const judge = (options: object, text: string) =>
  number.prepare(number.schema.parse(options))({ text, toolCalls: [], tokens: 1 });

describe('near enough', () => {
  it.each([
    [{ value: 42 }, 'So 40 + 2 = 42', true],
    [{ value: 42 }, '42 or 43', false],
    [{ value: 42, take: 'first' }, '42 or 43', true],
    [{ value: 42, take: 'only' }, '42 or 43', false],
    [{ value: 42, take: 'only' }, '42', true],
    [{ value: 42 }, 'forty-two', false],
    [{ value: 1, tolerance: 0.1 }, '1.1', true],
    [{ value: 1, tolerance: 0.1 }, '1.1000001', false],
    [{ value: 0.3, tolerance: 0.1 }, '0.2', true],
    [{ value: 200, relative_tolerance: 0.01 }, '198', true],
    [{ value: 200, relative_tolerance: 0.01 }, '197.9', false],
    [{ value: -200, relative_tolerance: 0.01 }, '-202', true],
    [{ value: 0, relative_tolerance: 0.5 }, '0.001', false],
    [{ value: 1000 }, '1,000', true],
    [{ value: 3.14 }, '3.140', true],
    [{ value: 'It costs $1,250.' }, '1250', true],
  ])('%j: %s', (options, text, passed) => expect(judge(options, text).passed).toBe(passed));

  test('an expected answer without a number is refused', () => {
    expect(() => judge({ value: 'none' }, '1')).toThrow('there is no number in "none"');
  });
});

test('a text of many groups of digits takes a time linear in them', () => {
  const groups = 20_000;
  const began = performance.now();
  expect(numbersOf(`${'123,'.repeat(groups)}1234`)).toHaveLength(groups + 1);
  expect(performance.now() - began).toBeLessThan(1000);
});
