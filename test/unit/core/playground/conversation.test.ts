import { describe, expect, it } from 'vitest';
import {
  asked,
  askedAgain,
  atRest,
  cleared,
  columnOf,
  corrected,
  fromRows,
  messagesOf,
  mixtureOf,
  newConversation,
  rowsOf,
  takePiece,
  takeWhole,
  titleOf,
  UNTITLED,
  WAITING,
  withAnswer,
  withColumn,
  withoutColumn,
  withWeight,
} from '../../../../extension/src/core/playground/conversation.js';
import { MAX_COLUMNS, type Conversation } from '../../../../extension/src/protocol/playgroundMessages.js';
import type { GenerationAnswer } from '../../../../extension/src/protocol/sessionMessages.js';

const base = { name: 'base', model: null, parts: [], run: null };
const pirate = { name: 'pirate', model: null, parts: [{ name: 'pirate', path: '/a/pirate', weight: 1 }], run: null };

const start = () => newConversation({ id: 'x', model: 'embedded:tiny', columns: [base, pirate] });

/** A turn that both columns have answered. */
function answered(conversation: Conversation, prompt: string, texts: readonly [string, string]): Conversation {
  const next = asked(conversation, prompt, 42);
  const id = next.turns.at(-1)!.id;
  return next.columns
    .slice(0, 2)
    .reduce(
      (all, column, index) =>
        withAnswer(all, id, column.id, answer => ({ ...answer, status: 'done', text: texts[index]! })),
      next,
    );
}

const whole: GenerationAnswer = {
  text: 'Hello',
  reasoning: 'hm',
  tool_calls: [],
  finish_reason: 'stop',
  logprobs: null,
  token_ids: [1, 2],
  usage: { prompt_tokens: 7, cached_tokens: 3, completion_tokens: 2, reasoning_tokens: 1 },
  dropped_turns: 2,
  first_token_ms: 12,
  tokens_per_second: 40,
};

describe('asking', () => {
  it('adds a turn that waits in all columns, and takes its title from the first', () => {
    expect(start().title).toBe(UNTITLED);
    const once = asked(start(), 'Hi\nthere', 42);
    expect(once.title).toBe('Hi');
    expect(Object.keys(once.turns[0]!.answers)).toEqual(['c1', 'c2']);
    expect(once.turns[0]!.answers['c1']).toEqual(WAITING);
    expect(asked(once, 'More', 42).title).toBe('Hi');
  });

  it('shortens long titles', () => {
    expect(titleOf('x'.repeat(100))).toBe(`${'x'.repeat(59)}…`);
    expect(titleOf('x'.repeat(60))).toBe('x'.repeat(60));
  });

  it('sends each column its own answers, and one that was added later those of the first', () => {
    const two = asked(answered({ ...start(), system: 'Be kind.' }, 'Hi', ['Hello', 'Ahoy']), 'More', 42);
    const contents = (conversation: Conversation, column: string) =>
      messagesOf(conversation, 2, column).map(({ role, content }) => `${role}: ${content}`);
    expect(contents(two, 'c1')).toEqual(['system: Be kind.', 'user: Hi', 'assistant: Hello', 'user: More']);
    expect(contents(two, 'c2')[2]).toBe('assistant: Ahoy');
    expect(contents(withColumn(two, base), 'c3')[2]).toBe('assistant: Hello');
  });

  it('leaves turns without any answer out of the history, since two messages of the user in a row break templates', () => {
    const failed = asked(asked(start(), 'Hi', 42), 'More', 42);
    expect(messagesOf(failed, 2, 'c1')).toEqual([{ role: 'user', content: 'More' }]);
  });

  it('asks again with the next seed, and removes what followed', () => {
    const two = answered(answered(start(), 'Hi', ['Hello', 'Ahoy']), 'More', ['a', 'b']);
    const again = askedAgain(two, 1, [columnOf(two, 'c2')]);
    expect(again.turns).toHaveLength(1);
    expect(again.turns[0]!.seed).toBe(43);
    expect(again.turns[0]!.answers['c1']!.text).toBe('Hello');
    expect(again.turns[0]!.answers['c2']).toEqual(WAITING);
  });

  it('asks an edited prompt with the same seed, in all columns', () => {
    const edited = askedAgain(answered(start(), 'Hi', ['Hello', 'Ahoy']), 1, start().columns, 'Ho');
    expect(edited.turns[0]).toMatchObject({ prompt: 'Ho', seed: 42, answers: { c1: WAITING, c2: WAITING } });
  });

  it('asks a column that was added later with the seed of the others', () => {
    const three = withColumn(answered(start(), 'Hi', ['Hello', 'Ahoy']), base);
    expect(askedAgain(three, 1, [columnOf(three, 'c3')]).turns[0]!.seed).toBe(42);
  });

  it('clears the title with the turn that gave it, and leaves a chosen one', () => {
    const conversation = asked(start(), 'Hi', 1);
    expect(cleared(conversation)).toMatchObject({ title: UNTITLED, turns: [], columns: start().columns });
    expect(cleared({ ...conversation, title: 'Greetings' }).title).toBe('Greetings');
  });

  it('names a turn that is gone', () => {
    expect(() => askedAgain(start(), 9, [])).toThrow('no longer part');
  });
});

describe('answers', () => {
  it('grow by pieces, and are replaced by the whole', () => {
    const piece = takePiece(takePiece(WAITING, { text: '', reasoning: 'h', tokens: 1 }), {
      text: 'He',
      reasoning: '',
      tokens: 2,
    });
    expect(piece).toMatchObject({ status: 'streaming', text: 'He', reasoning: 'h', num_tokens: 2 });
    expect(takeWhole(piece, whole)).toMatchObject({
      status: 'done',
      text: 'Hello',
      reasoning: 'hm',
      num_tokens: 2,
      finish_reason: 'stop',
      tokens_per_second: 40,
      cached_tokens: 3,
      dropped_turns: 2,
    });
    expect(takeWhole(piece, { ...whole, finish_reason: 'cancelled' }).status).toBe('stopped');
    const call = { id: '1', name: 'weather', arguments: '{"city":"Rome"}' };
    expect(takeWhole(piece, { ...whole, text: '', tool_calls: [call] }).text).toBe('weather({"city":"Rome"})');
  });

  it('arrive nowhere if the turn was removed meanwhile', () => {
    expect(withAnswer(start(), 1, 'c1', () => WAITING)).toEqual(start());
  });

  it('keep the model’s own text through several corrections, until it is written again', () => {
    const once = corrected(corrected({ ...WAITING, text: 'a' }, 'b'), 'c');
    expect([once.text, once.original]).toEqual(['c', 'a']);
    expect(corrected(once, 'a').original).toBeNull();
  });

  it('that were on their way when the window closed have stopped', () => {
    const read = atRest(asked(start(), 'Hi', 42));
    expect(read.turns[0]!.answers['c1']!.status).toBe('stopped');
  });
});

describe('columns', () => {
  it('are at most four, at least one, and never get an ID again', () => {
    const many = [1, 2, 3, 4].reduce(all => withColumn(all, base), start());
    expect(many.columns.map(({ id }) => id)).toEqual(['c1', 'c2', 'c3', 'c4']);
    expect(many.columns).toHaveLength(MAX_COLUMNS);
    const one = ['c1', 'c2'].reduce(withoutColumn, start());
    expect(one.columns.map(({ id }) => id)).toEqual(['c2']);
    const answeredOnce = withoutColumn(answered(start(), 'Hi', ['a', 'b']), 'c2');
    expect(withColumn(answeredOnce, base).columns.map(({ id }) => id)).toEqual(['c1', 'c3']);
  });

  it('stand beside the one that they continue', () => {
    expect(withColumn(start(), base, 'c1').columns.map(({ id }) => id)).toEqual(['c1', 'c3', 'c2']);
  });

  it('have adapters by path, each with its strength', () => {
    const weighted = withWeight(start(), 'c2', '/a/pirate', 0.5);
    expect(weighted.columns.map(mixtureOf)).toEqual([[], [{ name: '/a/pirate', weight: 0.5 }]]);
  });
});

describe('rows', () => {
  it('are written for each column and read into the same columns', () => {
    const two = answered(answered({ ...start(), system: 'Be kind.' }, 'Hi', ['Hello', 'Ahoy']), 'More', ['Yes', '']);
    const rows = rowsOf(two);
    expect(rows.map(({ messages }) => messages.length)).toEqual([5, 3]);
    const alike = rows.slice(0, 1);
    const { conversation, leftOut } = fromRows(start(), alike);
    expect(leftOut).toBe(0);
    expect(conversation.system).toBe('Be kind.');
    expect(conversation.turns.map(({ prompt }) => prompt)).toEqual(['Hi', 'More']);
    expect(rowsOf(conversation)).toEqual(alike);
  });

  it('of other conversations are left out, and said', () => {
    const row = (prompt: string) => ({
      messages: [
        { role: 'user', content: prompt },
        { role: 'assistant', content: 'ok' },
      ],
    });
    expect(fromRows(start(), [row('a'), row('b'), row('a')])).toMatchObject({ leftOut: 1 });
  });

  it('without a question, or with roles that have no place, are errors', () => {
    expect(() => fromRows(start(), [])).toThrow('no row with a user message');
    expect(() => fromRows(start(), [{ messages: [{ role: 'assistant', content: 'x' }] }])).toThrow('has no prompt');
    const tool = [
      { role: 'user', content: 'x' },
      { role: 'tool', content: 'y' },
    ];
    expect(() => fromRows(start(), [{ messages: tool }])).toThrow('can’t be shown');
  });
});
