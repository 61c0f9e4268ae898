// Chat templates of popular models on conversations of every kind: the text that Transformers renders, and the spans that it marks
// for training (test/fixtures/templates/record_chats.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { JinjaTemplate } from '../../extension/src/core/text/jinja/jinjaTemplate.js';
import { readPythonJson } from '../support/pythonNumbers.js';

interface Result {
  /** Absent if the same as that of the original template, which the patched one is named after. */
  text?: string;
  error?: string;
  generations?: [start: number, end: number][];
}

const FOLDER = 'test/fixtures/templates';
const stored = readPythonJson(`${FOLDER}/chats.json`) as {
  special_tokens: Record<string, string>;
  now: [number, number, number, number, number, number];
  chats: Record<string, Record<string, unknown>>;
  results: Record<string, Record<string, Result>>;
};
const [year, month, ...time] = stored.now;
const now = () => new Date(year, month - 1, ...time);

describe.each(Object.keys(stored.results))('%s', name => {
  const template = new JinjaTemplate(readFileSync(`${FOLDER}/chats/${name}.jinja`, 'utf8'));
  const original = stored.results[name.replace(/_training$/, '')];

  test.each(Object.entries(stored.results[name]))('%s', (chat, { text, error, generations }) => {
    const variables = { ...stored.special_tokens, documents: null, tools: null, add_generation_prompt: false };
    const render = () => template.render({ ...variables, ...stored.chats[chat] }, now);
    if (error !== undefined) {
      expect(render).toThrow(expect.objectContaining({ name: 'TemplateError' }));
      return;
    }
    const rendered = render();
    expect(rendered.text).toBe(text ?? original[chat].text);
    expect(rendered.generations.map(({ start, end }) => [start, end])).toEqual(generations ?? []);
  });
});
