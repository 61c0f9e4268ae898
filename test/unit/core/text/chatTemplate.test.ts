import { describe, expect, test } from 'vitest';
import { renderChat } from '../../../../extension/src/core/text/chatTemplate.js';
import { fixtureExpected, fixtureTokenizer } from './tokenizerFixtures.js';

describe.each(['smollm', 'qwen', 'llama2-legacy', 'mistral-first'])('%s renders as Python does', name => {
  const tokenizer = fixtureTokenizer(name);
  test.each(fixtureExpected(name).chats)('%#', chat => {
    const options = { addGenerationPrompt: chat.add_generation_prompt, tools: chat.tools };
    const text = renderChat(tokenizer, chat.messages, options);
    expect(text).toBe(chat.text);
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(chat.ids);
  });
});

describe('renderChat', () => {
  const messages = [{ role: 'user', content: 'Hi' }];

  test('without a template, the error says what to do', () => {
    expect(() => renderChat(fixtureTokenizer('gpt2'), messages)).toThrow(
      expect.objectContaining({ name: 'InputError', hint: expect.stringContaining('dataset.chat_template') }),
    );
  });

  test('a template in the options takes precedence over the model’s; unset special tokens are empty', () => {
    const template = '{{ bos_token }}{{ eos_token }}{{ unk_token }}:{{ messages[0].content }}';
    expect(renderChat(fixtureTokenizer('smollm'), messages, { template })).toBe('<|im_start|><|im_end|>:Hi');
  });

  test('exceptions raised by a template and syntax errors in it are in the error', () => {
    const tokenizer = fixtureTokenizer('llama2-legacy');
    const wrong = [...messages, ...messages];
    expect(() => renderChat(tokenizer, wrong)).toThrow('Roles must alternate user and assistant');
    expect(() => renderChat(tokenizer, messages, { template: '{% if %}' })).toThrow(/chat template failed/);
  });

  test('strftime_now knows the year', () => {
    const template = '{{ strftime_now("%Y") }}';
    expect(renderChat(fixtureTokenizer('smollm'), messages, { template })).toMatch(/^2\d{3}$/);
  });
});
