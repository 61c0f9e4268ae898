// Answers of the session in the shapes of OpenAI's API: whole, and as chunks of a stream. Reasoning is `reasoning_content`, as vLLM
// and DeepSeek have it. Pure; sent by completions.ts.
import { randomUUID } from 'node:crypto';
import type { GenerationAnswer, Piece, TokenLogprob } from '../../protocol/sessionMessages.js';

/** JSON has no -Infinity; OpenAI writes this for it. */
const LEAST_LOGPROB = -9999;

/** What one of the two APIs makes of answers. */
export interface AnswerShape {
  /** `object` of a whole answer and of a chunk. */
  objects: { whole: string; chunk: string };
  idPrefix: string;
  choice(answer: GenerationAnswer, index: number): object;
  /** Chunks of one choice; a new one for each. */
  stream(index: number): ChoiceStream;
}

interface ChoiceStream {
  begin(): object[];
  piece(piece: Piece): object[];
  end(answer: GenerationAnswer): object[];
}

export const chatShape: AnswerShape = {
  objects: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
  idPrefix: 'chatcmpl-',
  choice: (answer, index) => {
    const { text, reasoning, tool_calls: calls, finish_reason, logprobs } = answer;
    const message = {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      refusal: null,
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls.map(toolCall) }),
    };
    return { index, message, logprobs: chatLogprobs(logprobs), finish_reason };
  },
  stream: index => {
    const chunk = (delta: object, logprobs: object | null = null, reason: string | null = null) => ({
      index,
      delta,
      logprobs,
      finish_reason: reason,
    });
    return {
      begin: () => [chunk({ role: 'assistant', content: '' })],
      piece: ({ text, reasoning, logprobs }) => {
        const delta = {
          ...(reasoning !== '' && { reasoning_content: reasoning }),
          ...(text !== '' && { content: text }),
        };
        return [chunk(delta, chatLogprobs(logprobs ?? null))];
      },
      end: ({ tool_calls: calls, finish_reason: reason }) => [
        ...calls.map((call, i) => chunk({ tool_calls: [{ index: i, ...toolCall(call) }] })),
        chunk({}, null, reason),
      ],
    };
  },
};

export const textShape: AnswerShape = {
  objects: { whole: 'text_completion', chunk: 'text_completion' },
  idPrefix: 'cmpl-',
  choice: ({ text, logprobs, finish_reason }, index) => ({
    index,
    text,
    logprobs: textLogprobs(logprobs, 0),
    finish_reason,
  }),
  stream: index => {
    let offset = 0;
    const chunk = (text: string, logprobs: object | null, reason: string | null) => ({
      index,
      text,
      logprobs,
      finish_reason: reason,
    });
    return {
      begin: () => [],
      piece: ({ text, logprobs }) => {
        const part = textLogprobs(logprobs ?? null, offset);
        for (const token of logprobs ?? []) offset += token.text.length;
        return [chunk(text, part, null)];
      },
      end: answer => [chunk('', null, answer.finish_reason)],
    };
  },
};

/** Fields that the answer and all its chunks have. */
export interface Envelope {
  id: string;
  created: number;
  model: string;
}

export function envelope(shape: AnswerShape, model: string): Envelope {
  const id = `${shape.idPrefix}${randomUUID().replaceAll('-', '')}`;
  return { id, created: Math.floor(Date.now() / 1000), model };
}

/** The whole answer. @param n answers to each prompt, which follow each other */
export function wholeAnswer(
  shape: AnswerShape,
  { id, created, model }: Envelope,
  answers: readonly GenerationAnswer[],
  n: number,
): object {
  return {
    id,
    object: shape.objects.whole,
    created,
    model,
    choices: answers.map((answer, i) => shape.choice(answer, i)),
    usage: usageOf(answers, n),
    ...droppedTurns(answers),
  };
}

/** @param usage null in each but the last, if the client asked for it; else undefined */
export function chunk(
  shape: AnswerShape,
  { id, created, model }: Envelope,
  choices: readonly object[],
  usage: object | null | undefined,
): object {
  return { id, object: shape.objects.chunk, created, model, choices, ...(usage !== undefined && { usage }) };
}

/** Turns at the beginning that no longer fit the context, if there are some: OpenAI's API has no place for them. */
export function droppedTurns(answers: readonly GenerationAnswer[]): object {
  const [first] = answers;
  return first && first.dropped_turns > 0 ? { dropped_turns: first.dropped_turns } : {};
}

/** Each prompt counts once, however many answers it has. */
export function usageOf(answers: readonly GenerationAnswer[], n: number): object {
  const prompts = answers.filter((_, i) => i % n === 0);
  const sum = (of: readonly GenerationAnswer[], key: keyof GenerationAnswer['usage']) =>
    of.reduce((total, { usage }) => total + usage[key], 0);
  const [prompt, completion] = [sum(prompts, 'prompt_tokens'), sum(answers, 'completion_tokens')];
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(prompts, 'cached_tokens') },
    completion_tokens_details: { reasoning_tokens: sum(answers, 'reasoning_tokens') },
  };
}

/** A call as a message has it. */
export function toolCall({ id, name, arguments: text }: GenerationAnswer['tool_calls'][number]): object {
  return { id, type: 'function', function: { name, arguments: text } };
}

function finite(logprob: number): number {
  return Math.max(logprob, LEAST_LOGPROB);
}

function chatLogprobs(logprobs: readonly TokenLogprob[] | null): object | null {
  const token = ({ text, logprob }: { text: string; logprob: number }) => ({
    token: text,
    logprob: finite(logprob),
    // A token that is a part of a character has no text of its own; OpenAI's API allows null.
    bytes: text.includes('\uFFFD') ? null : [...Buffer.from(text)],
  });
  return (
    logprobs && {
      content: logprobs.map(each => ({ ...token(each), top_logprobs: each.top.map(token) })),
      refusal: null,
    }
  );
}

/** @param offset of the first token in the text */
function textLogprobs(logprobs: readonly TokenLogprob[] | null, offset: number): object | null {
  if (!logprobs) return null;
  let next = offset;
  const offsets = logprobs.map(({ text }) => (next += text.length) - text.length);
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => finite(logprob)),
    top_logprobs: logprobs.map(({ top }) =>
      Object.fromEntries(top.map(({ text, logprob }) => [text, finite(logprob)])),
    ),
    text_offset: offsets,
  };
}
