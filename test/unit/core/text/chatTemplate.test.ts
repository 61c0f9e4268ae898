import { describe, expect, test } from 'vitest';
import type { InputError } from '../../../../extension/src/core/inputError.js';
import { checkTemplates, renderChat } from '../../../../extension/src/core/text/chatTemplate.js';
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

  test.each([
    [{ file: 'm/chat_template.jinja' }, 'm/chat_template.jinja:2: the chat template failed: '],
    [
      { file: 'm/tokenizer_config.json', key: 'chat_template' },
      'm/tokenizer_config.json: chat_template: the chat template failed in line 2: ',
    ],
    [
      { file: 'm.gguf', key: 'tokenizer.chat_template' },
      'm.gguf: tokenizer.chat_template: the chat template failed in ',
    ],
    [{ file: 'an/adapter' }, 'an/adapter: the chat template failed in line 2: '],
    [null, 'the chat template failed in line 2: '],
  ])('a template at %j that isn’t Jinja is named', (templatePlace, words) => {
    const broken = { ...fixtureTokenizer('smollm'), chatTemplate: 'Hi\n{% if %}', templatePlace };
    const described = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        return (error as InputError).describe();
      }
      return 'nothing was thrown';
    };
    expect(described(() => renderChat(broken, messages))).toContain(words);
    expect(described(() => checkTemplates(broken))).toContain(words);
    // That of a run isn't at the model's place.
    expect(described(() => renderChat(broken, messages, { template: '{% if %}' }))).toMatch(
      /^the chat template failed/,
    );
    expect(described(() => checkTemplates({ ...broken, chatTemplate: null, toolTemplate: '{{' }))).toContain(
      'the chat template failed',
    );
  });

  test('an empty list of calls is none', () => {
    const answer = { role: 'assistant', content: '', tool_calls: [] };
    expect(renderChat(fixtureTokenizer('smollm'), [...messages, answer])).toContain(
      '<|im_start|>assistant\n<|im_end|>',
    );
  });

  test('variables of a row reach the template, but not in place of the chat', () => {
    const template = '{{ enable_thinking }} {{ messages | length }}';
    const variables = { enable_thinking: false, messages: [] };
    expect(renderChat(fixtureTokenizer('smollm'), messages, { template, variables })).toBe('False 1');
  });

  test('arguments as text: quoted twice becomes an object, anything else stays as the row has it', () => {
    const call = (text: unknown) => [
      ...messages,
      { role: 'assistant', content: 'x', tool_calls: [{ function: { name: 'f', arguments: text } }] },
    ];
    const render = (template: string, text: unknown) =>
      renderChat(fixtureTokenizer('smollm'), call(text), {
        template: `{% set c = messages[1].tool_calls[0] %}${template}`,
      });
    expect(render('{{ c.function.arguments | tojson }}', '{"b":1.0,"a":"é"}')).toBe('{"b": 1.0, "a": "é"}');
    expect(render('{{ c | tojson }}', '{"b":1}')).toBe('{"function": {"name": "f", "arguments": {"b": 1}}}');
    expect(render('{{ c.function.arguments }}', '{"b":1.0}')).toBe('{"b":1.0}');
    expect(render('{{ c.function.arguments | tojson }}', 'not JSON "x"')).toBe('"not JSON \\"x\\""');
    expect(render("{{ 'call ' + c.function.arguments }}", { b: [1, 'é'] })).toBe('call {"b": [1, "é"]}');
    expect(render('{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}', '{"b": null}')).toBe(
      'b=None',
    );
  });

  test('strftime_now knows the year', () => {
    const template = '{{ strftime_now("%Y") }}';
    expect(renderChat(fixtureTokenizer('smollm'), messages, { template })).toMatch(/^2\d{3}$/);
  });
});
