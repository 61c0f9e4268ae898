// Pairs of answers, as TRL's preference data: `prompt`, `chosen` and `rejected`, texts or lists of messages; or whole conversations
// (or texts) with the prompt in both. Nothing trains on them yet.
import type { AnsweredExample, ChatMessage, Row, RowSource } from '../example.js';
import { writeJsonText } from '../jsonText.js';
import { messageList, readChatFields, readMessages, singleText } from './chatFields.js';
import type { DatasetFormat, PreferencePair } from './datasetFormat.js';
import { checkRowKeys } from './lossKeys.js';
import { has, isObject, readText, rowError } from './rowFields.js';
import { InputError } from '../../inputError.js';

/** Columns of other tools with the prompt. */
const PROMPT_ALIASES = ['question', 'instruction', 'query'];

export const preference: DatasetFormat = {
  name: 'preference',
  title: 'Preference pairs',
  fields: [
    {
      name: 'prompt',
      required: false,
      aliases: PROMPT_ALIASES,
      description: 'The context: a text, or messages; absent if "chosen" and "rejected" begin with it',
    },
    { name: 'chosen', required: true, description: 'The better answer: a text, or messages' },
    { name: 'rejected', required: true, description: 'The other answer, in the same form' },
    { name: 'tools', required: false, description: 'With messages: JSON schemas of the functions that may be called' },
    { name: 'chat_template_kwargs', required: false, description: 'With messages: variables of the chat template' },
  ],
  isUntrained: true,
  newFilesOf: 'preference',
  // A prompt under another name isn't part of the answers.
  detect: row =>
    isAnswer(row.chosen) &&
    isAnswer(row.rejected) &&
    (has(row, 'prompt') || !PROMPT_ALIASES.some(name => has(row, name))),
  parse(row, source) {
    checkRowKeys(row, source);
    const [chosen, rejected] = [messageList(row.chosen), messageList(row.rejected)];
    if (!chosen && !rejected) {
      const texts = { chosen: readText(row, 'chosen', source), rejected: readText(row, 'rejected', source) };
      return ofTexts(has(row, 'prompt') ? readText(row, 'prompt', source) : null, texts, source);
    }
    if (!chosen || !rejected) {
      throw rowError(source, '"chosen" and "rejected" must both be texts or both be lists of messages');
    }
    // As TRL: a prompt that is a text repeats what both conversations begin with.
    const prompt = messageList(row.prompt);
    const answers = {
      chosen: readMessages(chosen, 'chosen', source),
      rejected: readMessages(rejected, 'rejected', source),
    };
    return ofChats(prompt ? readMessages(prompt, 'prompt', source) : null, answers, row, source);
  },
  writes: { preference: write },
};

function isAnswer(value: unknown): boolean {
  const list = messageList(value);
  return list ? isObject(list[0]) && has(list[0], 'role') : typeof value === 'string';
}

interface Both<T> {
  chosen: T;
  rejected: T;
}

function ofTexts(prompt: string | null, both: Both<string>, source: RowSource) {
  // By characters, so that none is split.
  const [chosen, rejected] = [[...both.chosen], [...both.rejected]];
  const shared = prompt === null ? sharedText(chosen, rejected, source) : 0;
  const example = (answer: readonly string[]): AnsweredExample => ({
    kind: 'completion',
    prompt: prompt ?? answer.slice(0, shared).join(''),
    completion: answer.slice(shared).join(''),
  });
  return { kind: 'preference', chosen: example(chosen), rejected: example(rejected) } as const;
}

function ofChats(prompt: ChatMessage[] | null, { chosen, rejected }: Both<ChatMessage[]>, row: Row, source: RowSource) {
  const shared = prompt === null ? sharedTurns(chosen, rejected, source) : 0;
  const context = prompt ?? chosen.slice(0, shared);
  const fields = readChatFields(row, source);
  const example = (answer: readonly ChatMessage[]): AnsweredExample => ({
    kind: 'chat',
    messages: [...context, ...answer.slice(shared)],
    trainFrom: context.length,
    ...fields,
  });
  return { kind: 'preference', chosen: example(chosen), rejected: example(rejected) } as const;
}

/** What both begin with, as TRL's `extract_prompt`: at least the last element of the shorter one is an answer. */
function shared<T>(chosen: readonly T[], rejected: readonly T[], isSame: (a: T, b: T) => boolean, source: RowSource) {
  const shorter = Math.min(chosen.length, rejected.length);
  if (shorter === 0) throw rowError(source, `"${chosen.length === 0 ? 'chosen' : 'rejected'}" is empty`);
  let at = 0;
  while (at < shorter - 1 && isSame(chosen[at], rejected[at])) at++;
  return at;
}

function sharedTurns(chosen: readonly ChatMessage[], rejected: readonly ChatMessage[], source: RowSource): number {
  const written = (message: ChatMessage) => writeJsonText(Object.entries(message).sort(([a], [b]) => (a < b ? -1 : 1)));
  return shared(chosen, rejected, (a, b) => written(a) === written(b), source);
}

function sharedText(chosen: readonly string[], rejected: readonly string[], source: RowSource): number {
  const at = shared(chosen, rejected, (a, b) => a === b, source);
  // A space before the answer belongs to it, if the answers differ there.
  return chosen[at] !== rejected[at] && chosen[at - 1] === ' ' ? at - 1 : at;
}

/** In the form of the first rows; without any: messages. */
function write({ prompt, chosen, rejected }: PreferencePair, first: readonly Row[]): Row {
  const known = first.find(row => has(row, 'chosen'));
  const isChat = !known || messageList(known.chosen) !== undefined;
  if (isChat && (!known || messageList(known.prompt))) return { prompt, chosen, rejected };
  const whole = { chosen: [...prompt, ...chosen], rejected: [...prompt, ...rejected] };
  if (isChat && !has(known!, 'prompt')) return whole;
  const text = singleText(prompt, 'user', 'prompt');
  if (isChat) return { prompt: text, ...whole };
  if (!has(known!, 'prompt')) {
    throw new InputError('the rows are texts that begin with the prompt, in which turns have no known form', {
      hint: 'Choose a file with a column "prompt", or a new one.',
    });
  }
  return {
    prompt: text,
    chosen: singleText(chosen, 'assistant', 'chosen answer'),
    rejected: singleText(rejected, 'assistant', 'rejected answer'),
  };
}
