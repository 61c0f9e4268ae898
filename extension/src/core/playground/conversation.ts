// A conversation of the playground as plain data: what happens to it, and what is asked of a model because of it. Pure; kept by
// host/webviews/playgroundSession.ts and shown by webview/src/playground.
import {
  MAX_COLUMNS,
  type Column,
  type ColumnPart,
  type Conversation,
  type PlaygroundAnswer,
  type PlaygroundTurn,
} from '../../protocol/playgroundMessages.js';
import { samplingSchema } from '../../protocol/sampling.js';
import type { ChatTurn, GenerationAnswer, Mixture, Piece } from '../../protocol/sessionMessages.js';

/** Title of a conversation without a turn. */
export const UNTITLED = 'New conversation';
const LONGEST_TITLE = 60;

export interface NewConversation {
  id: string;
  model: string;
  base_weights?: string | null;
  device?: Conversation['device'];
  columns: readonly Pick<Column, 'name' | 'model' | 'parts' | 'run'>[];
  system?: string;
}

export function newConversation({
  id,
  model,
  base_weights = null,
  device = null,
  columns,
  system = '',
}: NewConversation): Conversation {
  const empty: Conversation = {
    id,
    title: UNTITLED,
    updated_ms: 0,
    model,
    base_weights,
    device,
    system,
    sampling: samplingSchema.parse({}),
    template_variables: {},
    columns: [],
    turns: [],
  };
  return columns.slice(0, MAX_COLUMNS).reduce((conversation, column) => withColumn(conversation, column), empty);
}

export function isSameDevice(one: Conversation['device'], other: Conversation['device']): boolean {
  return one?.backend === other?.backend && one?.adapter === other?.adapter;
}

export const WAITING: PlaygroundAnswer = {
  status: 'waiting',
  text: '',
  reasoning: '',
  problem: null,
  num_tokens: 0,
  num_logprobs: 0,
  finish_reason: null,
  tokens_per_second: null,
  first_token_ms: null,
  prompt_tokens: null,
  cached_tokens: null,
  reasoning_tokens: null,
  dropped_turns: 0,
  original: null,
  saved: null,
};

/** Adds a turn that all columns are to answer. */
export function asked(conversation: Conversation, prompt: string, seed: number): Conversation {
  const id = Math.max(0, ...conversation.turns.map(turn => turn.id)) + 1;
  const turn = { id, prompt, seed, answers: waitingIn(conversation.columns) };
  const title =
    conversation.turns.length === 0 && conversation.title === UNTITLED ? titleOf(prompt) : conversation.title;
  return { ...conversation, title, turns: [...conversation.turns, turn] };
}

/** Asks a turn again, with the next seed, in these columns; the turns after it no longer follow and are removed. */
export function askedAgain(
  conversation: Conversation,
  turnId: number,
  columns: readonly Column[],
  prompt?: string,
): Conversation {
  const turns = conversation.turns.slice(0, indexOf(conversation, turnId) + 1);
  const turn = turns.pop()!;
  const again = {
    ...turn,
    prompt: prompt ?? turn.prompt,
    // An edited prompt is another question, to which the same seed belongs.
    seed: prompt === undefined && columns.some(({ id }) => turn.answers[id]) ? turn.seed + 1 : turn.seed,
    answers: { ...(prompt === undefined ? turn.answers : {}), ...waitingIn(columns) },
  };
  return { ...conversation, turns: [...turns, again] };
}

/** Without turns, and without the title that the first of them gave it. */
export function cleared(conversation: Conversation): Conversation {
  const { title, turns } = conversation;
  const isOfTurn = turns[0] !== undefined && title === titleOf(turns[0].prompt);
  return { ...conversation, title: isOfTurn ? UNTITLED : title, turns: [] };
}

function waitingIn(columns: readonly Column[]): Record<string, PlaygroundAnswer> {
  return Object.fromEntries(columns.map(({ id }) => [id, WAITING]));
}

/** Changes an answer; the conversation stays as it is if the turn or the answer is gone. */
export function withAnswer(
  conversation: Conversation,
  turnId: number,
  column: string,
  change: (answer: PlaygroundAnswer) => PlaygroundAnswer,
): Conversation {
  const turns = conversation.turns.map((turn): PlaygroundTurn => {
    const answer = turn.answers[column];
    return turn.id === turnId && answer ? { ...turn, answers: { ...turn.answers, [column]: change(answer) } } : turn;
  });
  return { ...conversation, turns };
}

export function takePiece(answer: PlaygroundAnswer, piece: Piece): PlaygroundAnswer {
  return {
    ...answer,
    status: 'streaming',
    text: answer.text + piece.text,
    reasoning: answer.reasoning + piece.reasoning,
    num_tokens: piece.tokens,
    num_logprobs: answer.num_logprobs + (piece.logprobs?.length ?? 0),
  };
}

export function takeWhole(answer: PlaygroundAnswer, whole: GenerationAnswer): PlaygroundAnswer {
  const calls = whole.tool_calls.map(call => `${call.name}(${call.arguments})`).join('\n');
  return {
    ...answer,
    status: whole.finish_reason === 'cancelled' ? 'stopped' : 'done',
    text: [whole.text, calls].filter(Boolean).join('\n'),
    reasoning: whole.reasoning,
    num_tokens: whole.usage.completion_tokens,
    num_logprobs: whole.logprobs?.length ?? answer.num_logprobs,
    finish_reason: whole.finish_reason,
    tokens_per_second: whole.tokens_per_second,
    first_token_ms: whole.first_token_ms,
    prompt_tokens: whole.usage.prompt_tokens,
    cached_tokens: whole.usage.cached_tokens,
    reasoning_tokens: whole.usage.reasoning_tokens,
    dropped_turns: whole.dropped_turns,
  };
}

export function corrected(answer: PlaygroundAnswer, text: string): PlaygroundAnswer {
  if (text === answer.text) return answer;
  const original = answer.original ?? answer.text;
  return {
    ...answer,
    status: 'done',
    problem: null,
    text,
    original: original === text ? null : original,
    saved: null,
  };
}

/** A conversation that was read from disk: what was on its way when it was written has ended. */
export function atRest(conversation: Conversation): Conversation {
  const turns = conversation.turns.map(turn => ({
    ...turn,
    answers: Object.fromEntries(
      Object.entries(turn.answers).map(([id, answer]) => [id, { ...ended(answer), num_logprobs: 0 }]),
    ),
  }));
  return { ...conversation, turns };
}

export function isUnderWay({ status }: PlaygroundAnswer): boolean {
  return status === 'waiting' || status === 'streaming';
}

export function ended(answer: PlaygroundAnswer): PlaygroundAnswer {
  return isUnderWay(answer) ? { ...answer, status: 'stopped' } : answer;
}

/** Adds a column, after another if it is named; unchanged if there are as many as possible. */
export function withColumn(
  conversation: Conversation,
  column: Pick<Column, 'name' | 'model' | 'parts' | 'run'>,
  after?: string,
): Conversation {
  const { columns, turns } = conversation;
  if (columns.length >= MAX_COLUMNS) return conversation;
  const used = [...columns.map(({ id }) => id), ...turns.flatMap(turn => Object.keys(turn.answers))];
  const id = `c${Math.max(0, ...used.map(each => Number(each.slice(1)))) + 1}`;
  const at = after === undefined ? columns.length : columns.findIndex(each => each.id === after) + 1;
  return { ...conversation, columns: columns.toSpliced(at || columns.length, 0, { ...column, id }) };
}

/** The last column stays. */
export function withoutColumn(conversation: Conversation, id: string): Conversation {
  const columns = conversation.columns.filter(column => column.id !== id);
  return columns.length === 0 ? conversation : { ...conversation, columns };
}

export function withWeight(conversation: Conversation, id: string, path: string, weight: number): Conversation {
  const part = (each: ColumnPart) => (each.path === path ? { ...each, weight } : each);
  const columns = conversation.columns.map(column =>
    column.id === id ? { ...column, parts: column.parts.map(part) } : column,
  );
  return { ...conversation, columns };
}

export function mixtureOf({ parts }: Pick<Column, 'parts'>): Mixture {
  return parts.map(({ path, weight }) => ({ name: path, weight }));
}

/**
 * The messages up to a turn, as a column sees them: with its own answers, and where it has none, being added later, with those of
 * the first column that has one. A turn without any answer is left out.
 */
export function messagesOf(conversation: Conversation, turnId: number, column: string): ChatTurn[] {
  const { system, turns, columns } = conversation;
  const at = indexOf(conversation, turnId);
  const before = turns.slice(0, at).flatMap(({ prompt, answers }): ChatTurn[] => {
    const answer = [column, ...columns.map(({ id }) => id)].map(id => answers[id]?.text).find(Boolean);
    return answer ? [...userTurn(prompt), { role: 'assistant', content: answer }] : [];
  });
  return [...systemTurn(system), ...before, ...userTurn(turns[at]!.prompt)];
}

/** None for a system prompt of white space. */
function systemTurn(content: string): ChatTurn[] {
  return content.trim() ? [{ role: 'system', content }] : [];
}

function userTurn(content: string): ChatTurn[] {
  return [{ role: 'user', content }];
}

export function indexOf({ turns }: Conversation, turnId: number): number {
  const index = turns.findIndex(({ id }) => id === turnId);
  if (index < 0) throw new Error('This turn is no longer part of the conversation.');
  return index;
}

export function columnOf({ columns }: Conversation, id: string): Column {
  const column = columns.find(each => each.id === id);
  if (!column) throw new Error('This column was removed.');
  return column;
}

export function titleOf(prompt: string): string {
  const line = prompt.trim().split('\n')[0]!.trim();
  return line.length <= LONGEST_TITLE ? line : `${line.slice(0, LONGEST_TITLE - 1).trimEnd()}…`;
}

/** One row of a messages dataset for each column that has answered. */
export function rowsOf(conversation: Conversation): { messages: ChatTurn[] }[] {
  const { system, turns, columns } = conversation;
  return columns.flatMap(({ id }) => {
    const answered = turns.flatMap(({ prompt, answers }): ChatTurn[] => {
      const text = answers[id]?.text;
      return text ? [...userTurn(prompt), { role: 'assistant', content: text }] : [];
    });
    if (answered.length === 0) return [];
    return [{ messages: [...systemTurn(system), ...answered] }];
  });
}

/**
 * `conversation` with the turns of exported rows: a row for each column, as long as the rows have the prompts of the first.
 * @returns also the number of rows that have no column
 */
export function fromRows(
  conversation: Conversation,
  rows: readonly { messages: readonly ChatTurn[] }[],
): { conversation: Conversation; leftOut: number } {
  const read = rows.map(({ messages }) => pairsOf(messages));
  const prompts = (pairs: Pairs) => JSON.stringify(pairs.turns.map(({ prompt }) => prompt));
  const first = read[0];
  if (!first || first.turns.length === 0) throw new Error('The file has no row with a user message and an answer.');
  const same = read.filter(pairs => prompts(pairs) === prompts(first)).slice(0, conversation.columns.length);
  const turns = first.turns.map(({ prompt }, index) => ({
    id: index + 1,
    prompt,
    seed: 0,
    answers: Object.fromEntries(
      same.flatMap(({ turns }, column) => {
        const text = turns[index]!.answer;
        const id = conversation.columns[column]!.id;
        return text === '' ? [] : [[id, { ...WAITING, status: 'done' as const, text }]];
      }),
    ),
  }));
  const imported = { ...conversation, title: titleOf(first.turns[0]!.prompt), system: first.system, turns };
  return { conversation: imported, leftOut: rows.length - same.length };
}

interface Pairs {
  system: string;
  turns: { prompt: string; answer: string }[];
}

function pairsOf(messages: readonly ChatTurn[]): Pairs {
  const pairs: Pairs = { system: '', turns: [] };
  for (const { role, content } of messages) {
    const last = pairs.turns.at(-1);
    if (role === 'system' || role === 'developer') pairs.system = content ?? '';
    else if (role === 'user') pairs.turns.push({ prompt: content ?? '', answer: '' });
    else if (role === 'assistant' && last) last.answer = content ?? '';
    else
      throw new Error(
        `A message with the role ${role} ${last ? 'can’t be shown in the playground' : 'has no prompt'}.`,
      );
  }
  return pairs;
}
