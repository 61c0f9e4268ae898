// Chat templates of popular models on conversations of every kind: the text that Transformers renders, and the spans that it marks
// for training.
import { describe, expect, test } from 'vitest';
import { JinjaTemplate } from '../../extension/src/core/text/jinja/jinjaTemplate.js';
import { recordedChats, recordedTemplate, recordedText } from '../support/recordedChats.js';

const { special_tokens: specialTokens, now: stored, chats, results } = recordedChats;
const [year, month, ...time] = stored;
const now = () => new Date(year, month - 1, ...time);

describe.each(Object.keys(results))('%s', name => {
  const template = new JinjaTemplate(recordedTemplate(name));

  test.each(Object.entries(results[name]))('%s', (chat, { generations }) => {
    const variables = { ...specialTokens, documents: null, tools: null, add_generation_prompt: false };
    const render = () => template.render({ ...variables, ...chats[chat] }, now);
    const text = recordedText(name, chat);
    if (text === undefined) {
      expect(render).toThrow(expect.objectContaining({ name: 'TemplateError' }));
      return;
    }
    const rendered = render();
    expect(rendered.text).toBe(text);
    expect(rendered.generations.map(({ start, end }) => [start, end])).toEqual(generations ?? []);
  });
});
