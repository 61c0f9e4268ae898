// Checks that compare texts: what counts by default, and what each option leaves out.
import { describe, expect, it, test } from 'vitest';
import { checkTypes } from '../../../../../extension/src/core/evaluation/checks/registry.js';
import { InputError } from '../../../../../extension/src/core/inputError.js';

const passes = (type: string, options: object, text: string): boolean => {
  const { schema, prepare } = checkTypes.find(check => check.type === type)!;
  return prepare(schema.parse(options))({ text, toolCalls: [], tokens: 1 }).passed;
};
const value = 'It is Paris.';

describe('exact', () => {
  it.each([
    ['the same', {}, 'It is Paris.', true],
    ['white space around it', {}, '\n It is Paris. ', true],
    ['white space within it', {}, 'It  is Paris.', false],
    ['another case', {}, 'it is paris.', false],
    ['no punctuation', {}, 'It is Paris', false],
    ['ignored case', { ignore_case: true }, 'IT IS PARIS.', true],
    ['ignored white space', { ignore_whitespace: true }, 'It\n\tis  Paris.', true],
    ['white space is not removed', { ignore_whitespace: true }, 'Itis Paris.', false],
    ['ignored punctuation', { ignore_punctuation: true }, '"It is Paris!"', true],
    ['ignored punctuation between words', { ignore_punctuation: true }, 'It is - Paris', false],
    ['the same without white space', { ignore_punctuation: true, ignore_whitespace: true }, 'It is - Paris', true],
    ['punctuation beyond ASCII', { ignore_punctuation: true }, 'It is Paris…', false],
  ])('%s', (_, options, text, passed) => expect(passes('exact', { value, ...options }, text)).toBe(passed));

  test('an empty answer can be wanted', () => {
    expect(passes('exact', { value: '' }, ' ')).toBe(true);
    expect(passes('exact', { value: '' }, '.')).toBe(false);
  });

  test('case of other scripts', () => {
    expect(passes('exact', { value: 'ÉTÉ', ignore_case: true }, 'été')).toBe(true);
    expect(passes('exact', { value: 'ΟΔΟΣ', ignore_case: true }, 'οδος')).toBe(true);
  });
});

describe('contains', () => {
  it.each([
    ['within', {}, 'Well: It is Paris. Yes', true],
    ['another case', {}, 'well: it is paris.', false],
    ['ignored case', { ignore_case: true }, 'well: it is paris.', true],
    ['over a line break', { ignore_whitespace: true }, 'Well: It is\nParis. Yes', true],
  ])('%s', (_, options, text, passed) => {
    expect(passes('contains', { value, ...options }, text)).toBe(passed);
    expect(passes('not_contains', { value, ...options }, text)).toBe(!passed);
  });

  it.each(['contains', 'not_contains'])('%s refuses what every answer contains', type => {
    expect(() => passes(type, { value: '...', ignore_punctuation: true }, 'a')).toThrow(InputError);
    expect(() => passes(type, { value: ' ', ignore_whitespace: true }, 'a')).toThrow('nothing is left of " "');
  });
});

test('one_of: the whole answer, by the same options', () => {
  expect(passes('one_of', { values: ['yes', 'no'] }, ' no\n')).toBe(true);
  expect(passes('one_of', { values: ['yes', 'no'] }, 'yes or no')).toBe(false);
  expect(passes('one_of', { values: ['Yes.', 'No.'], ignore_case: true, ignore_punctuation: true }, 'YES')).toBe(true);
});
