import { describe, expect, test } from 'vitest';
import { IGNORE_LABEL, type ChatMessage } from '../../../../extension/src/core/data/example.js';
import { encodeChat, type EncodeChatOptions } from '../../../../extension/src/core/text/encodeChat.js';
import { fixtureExpected, fixtureTokenizer } from './tokenizerFixtures.js';

/** The parts with labels, decoded. */
function trained(name: string, messages: ChatMessage[], options: EncodeChatOptions = {}): string[] {
  const tokenizer = fixtureTokenizer(name);
  const { inputIds, labels } = encodeChat(tokenizer, messages, options);
  const parts: number[][] = [];
  labels.forEach((label, i) => {
    if (label < 0) return;
    expect(label).toBe(inputIds[i]);
    if (i === 0 || labels[i - 1] < 0) parts.push([]);
    parts[parts.length - 1].push(label);
  });
  return parts.map(ids => tokenizer.decode(ids));
}

describe.each(['smollm', 'qwen', 'llama2-legacy', 'mistral-first'])('%s', name => {
  test.each(fixtureExpected(name).chats.filter(chat => !chat.add_generation_prompt))(
    'ids are those of Python and every assistant turn is found: %#',
    chat => {
      const encoded = encodeChat(fixtureTokenizer(name), chat.messages, { tools: chat.tools });
      expect([...encoded.inputIds]).toEqual(chat.ids);
      expect(encoded.unlocatedTurns).toEqual([]);
      const turns = chat.messages.filter(message => message.role === 'assistant').length;
      expect(trained(name, chat.messages, { tools: chat.tools })).toHaveLength(turns);
    },
  );
});

const chat: ChatMessage[] = [
  { role: 'user', content: 'How many apples?' },
  { role: 'assistant', content: 'Seven apples.' },
  { role: 'user', content: 'Seven apples.' },
  { role: 'assistant', content: '\n\n12 bright stars ' },
];

describe('encodeChat', () => {
  test('trains on content and end-of-turn token, not on the header or the line break after the turn', () => {
    expect(trained('smollm', chat)).toEqual(['Seven apples.<|im_end|>', '\n\n12 bright stars <|im_end|>']);
    expect(trained('llama2-legacy', chat)).toEqual(['Seven apples.</s>', '12 bright stars</s>']);
  });

  test('turns before trainFrom are context', () => {
    expect(trained('smollm', chat, { trainFrom: 2 })).toEqual(['\n\n12 bright stars <|im_end|>']);
  });

  test('trainOn all labels every token', () => {
    const { inputIds, labels } = encodeChat(fixtureTokenizer('smollm'), chat, { trainOn: 'all' });
    expect(labels).toEqual(inputIds);
  });

  test('a template that strips earlier reasoning: what remains is trained on', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: '2 + 2?' },
      { role: 'assistant', content: '<think>\neasy\n</think>\n\nIt is 4.' },
      { role: 'user', content: 'And 3?' },
      { role: 'assistant', content: '<think>\nadd\n</think>\n\nIt is 7.' },
    ];
    expect(trained('qwen', messages)).toEqual(['It is 4.<|im_end|>', '<think>\nadd\n</think>\n\nIt is 7.<|im_end|>']);
  });

  test('a generation header that differs from the text: labels begin where they diverge', () => {
    const template =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}";
    expect(trained('qwen', chat.slice(0, 2), { template })).toEqual(['Seven apples.<|im_end|>']);
  });

  test('without an end-of-turn token, labels extend to the next turn', () => {
    const template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}";
    expect(trained('gpt2', chat.slice(0, 2), { template })).toEqual(['assistant: Seven apples.\n']);
  });

  test('turns that can’t be found are reported and get no labels', () => {
    const template =
      '{% set all %}{% for m in messages %} {{ m.content }}{% endfor %}{% endset %}{{ messages | length }}{{ all }}';
    const { labels, unlocatedTurns } = encodeChat(fixtureTokenizer('gpt2'), chat, { template });
    expect(unlocatedTurns).toEqual([1, 3]);
    expect(labels.every(label => label === IGNORE_LABEL)).toBe(true);
  });
});
