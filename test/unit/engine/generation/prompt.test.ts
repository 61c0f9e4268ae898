// Prompts of conversations and texts, and which turns are left out of a long history.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { fittingPrompt, readsTools, wholePrompt } from '../../../../extension/src/engine/generation/prompt.js';
import type { ChatTurn } from '../../../../extension/src/protocol/sessionMessages.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

const smollm = fixtureTokenizer('smollm');
const withTemplate = (name: string): TextTokenizer => ({
  ...fixtureTokenizer('qwen'),
  chatTemplate: readFileSync(new URL(`../../../fixtures/templates/chats/${name}.jinja`, import.meta.url), 'utf8'),
});
const system: ChatTurn = { role: 'system', content: 'Be brief.' };
const user = (content: string): ChatTurn => ({ role: 'user', content });
const assistant = (content: string): ChatTurn => ({ role: 'assistant', content });
const call: ChatTurn = {
  role: 'assistant',
  content: '',
  tool_calls: [{ id: 'a1b2c3d4e', type: 'function', function: { name: 'clock', arguments: '{}' } }],
};
const result: ChatTurn = { role: 'tool', content: '12:00', tool_call_id: 'a1b2c3d4e' };

describe('wholePrompt', () => {
  test('a text is continued as it is, with the tokens that begin a text', () => {
    const llama = fixtureTokenizer('llama2-legacy');
    expect(wholePrompt(llama, { prompt: 'The old' })).toEqual({
      ids: llama.encode('The old'),
      chat: '',
      droppedTurns: 0,
    });
  });

  test('without a chat template, the turns have empty lines between them', () => {
    const plain = { ...smollm, chatTemplate: null };
    const messages = [system, user('Hi'), assistant('Hello'), user('Why?')];
    expect(plain.decode(wholePrompt(plain, { messages }).ids)).toBe('Be brief.\n\nHi\n\nHello\n\nWhy?');
    expect(() => wholePrompt(plain, { messages, tools: [{}] })).toThrow(/can’t be told of tools/);
    expect(wholePrompt(plain, { messages, tools: [] }).ids).not.toEqual([]);
  });

  test('documents, tools and variables reach the template', () => {
    const chatTemplate =
      '{% for d in documents %}[{{ d.text }}]{% endfor %}{{ tools | length if tools else "none" }} ' +
      '{{ enable_thinking is defined and enable_thinking }} {{ messages[0].content }}';
    const tokenizer = { ...smollm, chatTemplate };
    const request = { messages: [user('Hi')], documents: [{ text: 'a' }, { text: 'b' }] };
    expect(wholePrompt(tokenizer, request).chat).toBe('[a][b]none False Hi');
    const others = { ...request, tools: [{}], template_variables: { enable_thinking: true } };
    expect(wholePrompt(tokenizer, others).chat).toBe('[a][b]1 True Hi');
    const asVariable = { messages: [user('Hi')], template_variables: { documents: [{ text: 'c' }] } };
    expect(wholePrompt(tokenizer, asVariable).chat).toBe('[c]none False Hi');
  });

  test('enable_thinking and dates of real templates', () => {
    const ask = (name: string, template_variables: Record<string, unknown>) =>
      wholePrompt(withTemplate(name), { messages: [user('Hi')], template_variables }).chat;
    expect(ask('qwen3', { enable_thinking: false })).toMatch(/<think>\n\n<\/think>\n\n$/);
    expect(ask('qwen3', {})).toMatch(/assistant\n$/);
    expect(ask('llama3_2', { date_string: '01 Jan 2030' })).toContain('Today Date: 01 Jan 2030');
  });

  test('neither a conversation nor a text, and no turn', () => {
    expect(() => wholePrompt(smollm, {})).toThrow(/neither a conversation nor a text/);
    expect(() => wholePrompt(smollm, { messages: [] })).toThrow(/conversation is empty/);
  });
});

test('tools and documents that the template leaves out are an error', () => {
  const messages = [user('Hi')];
  for (const key of ['tools', 'documents'])
    expect(() => wholePrompt(smollm, { messages, [key]: [{}] })).toThrow(
      `the model can’t be told of ${key}: it has a chat template without a place for them`,
    );
  expect(() => wholePrompt(withTemplate('qwen3'), { messages, documents: [{}] })).toThrow('told of documents');
  expect(
    [smollm, withTemplate('qwen3'), withTemplate('llama3_1'), withTemplate('mistral_nemo')].map(readsTools),
  ).toEqual([false, true, true, true]);
});

describe('fittingPrompt', () => {
  const qwen = withTemplate('qwen2_5');
  const history = [
    system,
    ...Array.from({ length: 12 }, (_, i) => [
      user(`question ${i} of many`),
      call,
      result,
      assistant(`answer ${i}`),
    ]).flat(),
    user('the last question'),
  ];
  const lengthOf = (messages: ChatTurn[]) => wholePrompt(qwen, { messages }).ids.length;

  test('everything that fits stays', () => {
    const whole = wholePrompt(qwen, { messages: history });
    expect(fittingPrompt(qwen, { messages: history }, { positions: whole.ids.length + 8, maxNewTokens: 8 })).toEqual(
      whole,
    );
  });

  test('whole exchanges are left out, and no more than has to be', () => {
    for (let kept = 0; kept < 12; kept++) {
      const messages = [system, ...history.slice(1 + 4 * (12 - kept))];
      const positions = lengthOf(messages) + 8;
      const found = fittingPrompt(qwen, { messages: history }, { positions, maxNewTokens: 8 });
      expect(found.ids).toEqual(wholePrompt(qwen, { messages }).ids);
      expect(found.droppedTurns).toBe(4 * (12 - kept));
    }
  });

  test('an answer has a quarter of the context, if it may be that long', () => {
    const positions = lengthOf(history);
    const found = fittingPrompt(qwen, { messages: history }, { positions, maxNewTokens: 10_000 });
    expect(found.ids.length).toBeLessThanOrEqual(0.75 * positions);
    expect(found.droppedTurns).toBeGreaterThan(0);
  });

  test('the last exchange stays whole, also where it leaves the answer less', () => {
    const messages = [system, user('first '.repeat(40)), assistant('a'), user('last'), call, result];
    const least = lengthOf([system, user('last'), call, result]);
    const found = fittingPrompt(qwen, { messages }, { positions: least + 1, maxNewTokens: 100 });
    expect(found).toMatchObject({ droppedTurns: 2 });
    expect(found.ids).toHaveLength(least);
    const tooFew = { positions: least, maxNewTokens: 100 };
    expect(() => fittingPrompt(qwen, { messages }, tooFew)).toThrow(
      `the system message and the last turn have ${least} tokens, but the model reads at most ${least}`,
    );
  });

  test('a single prompt or a text that is too long', () => {
    const few = { positions: 5, maxNewTokens: 1 };
    const text = 'The old engine repairs the red bicycle';
    expect(() => fittingPrompt(qwen, { messages: [user(text)] }, few)).toThrow(/^the prompt has \d+ tokens/);
    expect(() => fittingPrompt(qwen, { prompt: text }, few)).toThrow(/^the prompt has \d+ tokens/);
    const turns = [user('Hi'), assistant('Hello'), user(text)];
    expect(() => fittingPrompt(qwen, { messages: turns }, few)).toThrow(
      /^the last turn of the conversation has \d+ tokens/,
    );
  });

  test('templates that want alternating roles accept what is left', () => {
    const gemma = withTemplate('gemma');
    const messages = Array.from({ length: 9 }, (_, i) => (i % 2 ? assistant(`answer ${i}`) : user(`question ${i}`)));
    const { ids } = wholePrompt(gemma, { messages });
    const found = fittingPrompt(gemma, { messages }, { positions: ids.length, maxNewTokens: 30 });
    expect(found.droppedTurns % 2).toBe(0);
    expect(found.droppedTurns).toBeGreaterThan(0);
  });
});
