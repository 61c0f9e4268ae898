// Answers from their tokens: text, reasoning, stop texts, calls of tools and log-probabilities together.
import { describe, expect, test } from 'vitest';
import type { TextTokenizer } from '../../../../extension/src/core/text/textTokenizer.js';
import { AnswerStream, type AnswerParts } from '../../../../extension/src/engine/generation/answerStream.js';
import { wholePrompt } from '../../../../extension/src/engine/generation/prompt.js';
import {
  generationSchema,
  type GenerationInput,
  type Piece,
} from '../../../../extension/src/protocol/sessionMessages.js';
import { fixtureTokenizer } from '../../core/text/tokenizerFixtures.js';

const qwen = fixtureTokenizer('qwen');
const conversation = { messages: [{ role: 'user', content: 'Hi' }] };

function answered(
  text: string,
  input: GenerationInput = conversation,
  { tokenizer = qwen, outOfRoom = false }: { tokenizer?: TextTokenizer; outOfRoom?: boolean } = {},
): { pieces: Piece[]; parts: AnswerParts } {
  const request = generationSchema.parse(input);
  const pieces: Piece[] = [];
  const stream = new AnswerStream(tokenizer, request, wholePrompt(tokenizer, input), piece => pieces.push(piece));
  const logits = Float32Array.from({ length: tokenizer.vocabSize }, (_, id) => -id / 100);
  for (const id of tokenizer.encode(text, { addSpecialTokens: false })) if (!stream.push(id, logits)) break;
  return { pieces, parts: stream.end(outOfRoom) };
}

const joined = (pieces: Piece[], key: 'text' | 'reasoning') => pieces.map(piece => piece[key]).join('');

describe.each(['qwen', 'smollm', 'llama3', 'llama2-legacy'])('%s', name => {
  const tokenizer = fixtureTokenizer(name);
  // Not all of these have a template.
  const input = tokenizer.chatTemplate ? conversation : { messages: [{ role: 'user', content: 'Hi' }] };

  test.each(['The old 👩‍👩‍👧 engine\n', 'naïve 你好 \uFFFD end', ''])('the pieces of %j make up the answer', text => {
    const { pieces, parts } = answered(text, input, { tokenizer });
    const ids = tokenizer.encode(text, { addSpecialTokens: false });
    expect(parts).toMatchObject({
      finish_reason: 'stop',
      token_ids: ids,
      reasoning: '',
      tool_calls: [],
      logprobs: null,
    });
    expect(parts.text).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
    expect(joined(pieces, 'text')).toBe(parts.text);
    expect(pieces.at(-1)?.tokens ?? 0).toBe(ids.length);
  });

  test('reasoning is told apart and counted', () => {
    const { pieces, parts } = answered('<think>\nSeven apples.\n</think>\n\nThe answer.', input, { tokenizer });
    expect(parts).toMatchObject({ reasoning: 'Seven apples.', text: 'The answer.' });
    expect(joined(pieces, 'reasoning')).toBe('Seven apples.');
    const closed = tokenizer.encode('<think>\nSeven apples.\n</think>', { addSpecialTokens: false }).length;
    expect(Math.abs(parts.reasoningTokens - closed)).toBeLessThanOrEqual(1);
  });
});

test('a stop text ends the answer, is not part of it, and does not end the reasoning', () => {
  const { pieces, parts } = answered('<think>a.\n\nb</think>The engine.\n\nSeven', {
    ...conversation,
    sampling: { stop: ['\n\n'] },
  });
  expect(parts).toMatchObject({ reasoning: 'a.\n\nb', text: 'The engine.', finish_reason: 'stop' });
  expect(joined(pieces, 'text')).toBe('The engine.');
});

test('the end of the room', () => {
  const cut = answered('The engine', conversation, { outOfRoom: true }).parts;
  expect(cut).toMatchObject({ text: 'The engine', finish_reason: 'length' });
  const stopped = answered('The engine', { ...conversation, sampling: { stop: ['ine'] } }, { outOfRoom: true }).parts;
  expect(stopped).toMatchObject({ text: 'The eng', finish_reason: 'stop' });
  // What may have become a stop text is part of the answer.
  const held = answered('The engine', { ...conversation, sampling: { stop: ['ines'] } }, { outOfRoom: true }).parts;
  expect(held.text).toBe('The engine');
  const thinking = answered('<think>The engine ', conversation, { outOfRoom: true }).parts;
  expect(thinking).toMatchObject({ reasoning: 'The engine', text: '', finish_reason: 'length' });
  expect(thinking.reasoningTokens).toBe(thinking.token_ids.length);
});

const TOOLS = [{ type: 'function', function: { name: 'clock', parameters: {} } }];
const CALL = '<tool_call>\n{"name": "clock", "arguments": {"zone": "UTC"}}\n</tool_call>';

test('calls are read only if there are tools, after the reasoning', () => {
  const { parts } = answered(`<think>I look.</think>\n\n${CALL}`, { ...conversation, tools: TOOLS });
  expect(parts).toMatchObject({ reasoning: 'I look.', text: '', finish_reason: 'tool_calls' });
  expect(parts.tool_calls).toEqual([
    { id: expect.stringMatching(/^call_\w{32}$/) as string, name: 'clock', arguments: '{"zone": "UTC"}' },
  ]);
  expect(answered(CALL).parts).toMatchObject({ text: CALL, tool_calls: [], finish_reason: 'stop' });
  const malformed = CALL.replace('}}', '}');
  const bad = answered(malformed, { ...conversation, tools: TOOLS }).parts;
  expect(bad).toMatchObject({ text: malformed, tool_calls: [], finish_reason: 'stop' });
});

test('marks that are special tokens are found, and others are left out', () => {
  const known = new Set(['<|im_start|>']);
  const tokenizer: TextTokenizer = {
    ...qwen,
    idToToken: id => (known.has(qwen.idToToken(id) ?? '') ? '<|python_tag|>' : qwen.idToToken(id)),
    decode: (ids, options) => qwen.decode(ids, options).replaceAll('<|im_start|>', '<|python_tag|>'),
  };
  const answer = '<|im_start|>{"name": "clock", "parameters": {}}<|im_end|>';
  const { parts } = answered(answer, { ...conversation, tools: TOOLS }, { tokenizer });
  expect(parts).toMatchObject({ text: '', finish_reason: 'tool_calls' });
  expect(answered(answer).parts.text).toBe('{"name": "clock", "parameters": {}}');
});

test('a text that is continued has no reasoning and no calls, and keeps its first space', () => {
  const llama = fixtureTokenizer('llama2-legacy');
  const ids = llama.encode('The old engine', { addSpecialTokens: false });
  const input = { prompt: llama.decode(ids.slice(0, 1)) };
  const stream = new AnswerStream(llama, generationSchema.parse(input), wholePrompt(llama, input));
  for (const id of ids.slice(1)) stream.push(id, null);
  expect(input.prompt + stream.end(false).text).toBe('The old engine');
  const text = `<think>a</think>${CALL}`;
  expect(answered(text, { prompt: 'Hi', tools: TOOLS }).parts).toMatchObject({ text, reasoning: '', tool_calls: [] });
});

test('log-probabilities of every token are in the pieces, with the text and the alternatives', () => {
  const { pieces, parts } = answered('The 👩‍👩‍👧 engine', { ...conversation, top_logprobs: 2 });
  expect(pieces.flatMap(({ logprobs = [] }) => logprobs)).toEqual(parts.logprobs);
  expect(parts.logprobs!.map(({ id }) => id)).toEqual(parts.token_ids);
  for (const { top, logprob } of parts.logprobs!) {
    expect(top.map(({ id }) => id)).toEqual([0, 1]);
    expect(logprob).toBeLessThanOrEqual(top[0]!.logprob);
  }
  expect(parts.logprobs![0]!.text).toBe('The');
  const held = answered(CALL, { ...conversation, tools: TOOLS, top_logprobs: 0 });
  expect(held.pieces).toHaveLength(1);
  expect(held.pieces[0]!.logprobs).toHaveLength(held.parts.token_ids.length);
});
