// chat_template of a tokenizer's config in each of its forms, and in others.
import { describe, expect, it } from 'vitest';
import { namedTemplates, templatesOf } from '../../../../extension/src/core/text/namedTemplates.js';

const named = [
  { name: 'tool_use', template: '{{ tools }}' },
  { name: 'default', template: '{{ messages }}' },
];

describe('namedTemplates', () => {
  it.each([
    ['none', null, []],
    ['a text', '{{ messages }}', [{ name: 'default', template: '{{ messages }}' }]],
    ['a list', named, named],
    ['an object by names', { tool_use: '{{ tools }}', default: '{{ messages }}' }, named],
  ])('%s', (_, template, expected) => expect(namedTemplates(template)).toEqual(expected));

  it.each([
    5,
    true,
    [null],
    ['{{ messages }}'],
    [{ name: 'default' }],
    [{ name: { toString: null }, template: 'x' }],
    { default: null },
    { default: { toString: 1 } },
  ])('refuses %j', template => {
    expect(() => namedTemplates(template)).toThrow(
      'must be a text, or a list whose items have a "name" and a "template"',
    );
  });
});

describe('a name that no file can have', () => {
  it.each(['', 'a\0b', '../a', 'a\\b', 'a'.repeat(61)])('is refused before it is to be saved: %j', name =>
    expect(() => namedTemplates([...named, { name, template: 'x' }])).toThrow('can’t be the name of a template'),
  );
});

describe('templatesOf', () => {
  it('takes the last of two with one name, as Transformers does', () =>
    expect(templatesOf([{ name: 'default', template: 'old' }, ...named]).chatTemplate).toBe('{{ messages }}'));
  it('tells the template for tools from the default one', () =>
    expect(templatesOf(named)).toEqual({ chatTemplate: '{{ messages }}', toolTemplate: '{{ tools }}' }));
  it('has none of other names', () =>
    expect(templatesOf([{ name: 'rag', template: 'x' }])).toEqual({ chatTemplate: null, toolTemplate: null }));
});
