// The reasoning of an answer and the answer, in any pieces.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderChat } from '../../../../extension/src/core/text/chatTemplate.js';
import { ReasoningSplit } from '../../../../extension/src/core/text/reasoning.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { fixtureTokenizer } from './tokenizerFixtures.js';

function split(pieces: string[], prompt = ''): { reasoning: string; text: string } {
  const parts = new ReasoningSplit(prompt);
  const found = [...pieces.map(piece => parts.push(piece)), parts.end()];
  return { reasoning: found.map(each => each.reasoning).join(''), text: found.map(({ text }) => text).join('') };
}

const cases: [string, string, string, string, string?][] = [
  ['DeepSeek R1, Qwen 3', '<think>\nWell, 1 < 2.\n\nSo.\n</think>\n\nYes.\n', 'Well, 1 < 2.\n\nSo.', 'Yes.\n'],
  ['white space before', '\n\n<think>a</think>b', 'a', 'b'],
  ['empty', '<think>\n\n</think>\n\nYes', '', 'Yes'],
  ['opened by the template', 'Well.\n</think>\n\nYes', 'Well.', 'Yes', '<|Assistant|><think>\n'],
  ['opened by the template and not closed', 'Well. \n', 'Well.', '', '<think>\n'],
  ['closed by the template', 'Yes', '', 'Yes', '<think>\n\n</think>\n\n'],
  ['no end', '<think>a </thi', 'a </thi', ''],
  ['no reasoning', '  1 <think> 2</think>', '', '  1 <think> 2</think>'],
  ['the beginning of a mark', '<thi', '', '<thi'],
  ['white space only', ' \n', '', ' \n'],
  ['nothing', '', '', ''],
  ['two parts', '<think>a</think>b<think>c</think>', 'a', 'b<think>c</think>'],
  ['Magistral', '[THINK]a[/THINK]b', 'a', 'b'],
  ['Gemma 4', '<|channel>thought\na\n<channel|>b', 'a', 'b'],
  ['Command A', '<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b', 'a', 'b'],
  ['gpt-oss', '<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b', 'a', 'b'],
];

test.each(cases)('%s', (_name, answer, reasoning, text, prompt) => {
  expect(split([answer], prompt)).toEqual({ reasoning, text });
  expect(split([...answer], prompt)).toEqual({ reasoning, text });
  const rng = createRng(answer);
  for (let round = 0; round < 50; round++) {
    const pieces: string[] = [];
    for (let at = 0; at < answer.length;) pieces.push(answer.slice(at, (at += 1 + rng.int(9))));
    expect(split(pieces, prompt), JSON.stringify(pieces)).toEqual({ reasoning, text });
  }
});

test('both are streamed', () => {
  const parts = new ReasoningSplit();
  const pieces = ['<think>', '\nA', ' b', '\n</th', 'ink>', '\n', 'C', ' d'].map(piece => parts.push(piece));
  expect(pieces.map(({ reasoning }) => reasoning)).toEqual(['', 'A', ' b', '', '', '', '', '']);
  expect(pieces.map(({ text }) => text)).toEqual(['', '', '', '', '', '', 'C', ' d']);
});

describe('whether the template opens the reasoning', () => {
  const qwen = fixtureTokenizer('qwen');
  test.each([
    ['qwen3', {}, 'answer'],
    ['qwen3', { enable_thinking: false }, 'answer'],
    ['deepseek_r1_distill', {}, 'reasoning'],
    ['qwen3_5_think', {}, 'reasoning'],
    ['qwen3_5_think', { enable_thinking: false }, 'answer'],
    ['nemotron_3_nano', {}, 'reasoning'],
  ])('%s with %j', (name, variables, expected) => {
    const url = new URL(`../../../fixtures/templates/chats/${name}.jinja`, import.meta.url);
    const template = readFileSync(url, 'utf8');
    const prompt = renderChat(qwen, [{ role: 'user', content: 'Hi' }], {
      template,
      variables,
      addGenerationPrompt: true,
    });
    expect(split(['x'], prompt)).toEqual({
      reasoning: '',
      text: '',
      [expected === 'answer' ? 'text' : 'reasoning']: 'x',
    });
  });
});
