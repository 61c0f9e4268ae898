// Named templates in GGUF metadata: names as gguf-py 0.19 writes them (GGUFWriter.add_chat_template).
import { expect, test } from 'vitest';
import { templateMetadata } from '../../../../extension/src/engine/export/ggufTemplates.js';

test.each([
  { what: 'a text', template: 'x', names: null, keys: ['tokenizer.chat_template'] },
  {
    what: 'names with other characters than letters and digits',
    template: { default: 'x', 'rag-v2.1': 'y', tool_use: 'z', 'é😀': 'w' },
    names: ['rag_v2_1', 'tool_use', '__'],
    keys: ['tokenizer.chat_template', ...['rag_v2_1', 'tool_use', '__'].map(name => `tokenizer.chat_template.${name}`)],
  },
  {
    what: 'names that become the same',
    template: [
      { name: 'a-b', template: 'x' },
      { name: 'a.b', template: 'y' },
    ],
    names: ['a_b'],
    keys: ['tokenizer.chat_template.a_b'],
  },
  { what: 'no templates', template: [], names: null, keys: [] },
])('$what', ({ template, names, keys }) => {
  const { 'tokenizer.chat_templates': list, ...texts } = Object.fromEntries(templateMetadata(template));
  expect(list ?? null).toEqual(names && { type: 'array', items: names.map(value => ({ type: 'string', value })) });
  expect(Object.keys(texts)).toEqual(keys);
});

test('a template without a name, which no file could have, is refused', () => {
  expect(() => templateMetadata([{ name: '', template: 'z' }])).toThrow('can’t be the name of a template');
});
