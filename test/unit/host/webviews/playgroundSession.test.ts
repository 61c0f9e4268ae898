// The playground's session on models that the test controls: what is asked, what is released, and what a late answer changes.
import { expect, it } from 'vitest';
import { newConversation } from '../../../../extension/src/core/playground/conversation.js';
import {
  PlaygroundSession,
  type PlaygroundSessionOptions,
} from '../../../../extension/src/host/webviews/playgroundSession.js';
import { EngineInputError, type ModelSession } from '../../../../extension/src/host/services.js';
import {
  commandPlayground,
  openPlaygroundPage,
  scoreAnswer,
  type PlaygroundCommand,
} from '../../../../extension/src/protocol/playgroundMessages.js';
import type {
  GenerationAnswer,
  Piece,
  ScoringInput,
  TokenLogprob,
} from '../../../../extension/src/protocol/sessionMessages.js';
import { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';

interface Asked {
  model: string;
  adapters: unknown;
  piece(text: string): void;
  end(text: string, tokens?: readonly string[]): void;
  fail(message: string): void;
}

const base = { name: 'base', model: null, parts: [], run: null };
const pirate = { name: 'pirate', model: null, parts: [{ name: 'pirate', path: '/a/pirate', weight: 1 }], run: null };
const merged = { name: 'merged', model: '/m/merged', parts: [], run: null };

const settled = () => new Promise(resolve => setTimeout(resolve));

function open(
  columns: readonly (typeof base | typeof merged | typeof pirate)[],
  changes: Partial<PlaygroundSessionOptions<string>> = {},
) {
  const asked: Asked[] = [];
  const log: string[] = [];
  const endings = new Map<string, () => void>();
  const [page, host] = pair();
  const session = new PlaygroundSession<string>({
    channel: new WebviewChannel(host, fault => log.push(fault)),
    conversation: newConversation({ id: 'x', model: '/m/base', columns }),
    prompt: 'Hi',
    folder: '/w',
    loadAtOnce: false,
    sessions: {
      open: async ({ model }) => {
        log.push(`open ${model}`);
        return modelSession(model, asked, log, endings);
      },
      sharingNote: () => null,
    },
    store: {
      list: async () => [],
      read: async id => newConversation({ id, model: '/m/other', columns: [base] }),
      write: async ({ turns }) => void log.push(`keep ${turns.length}`),
      delete: async () => undefined,
    },
    corrections: {
      pickDataset: async () => 'data.jsonl',
      appendConversation: async () => ({ line: 3, problems: ['The row is too long'] }),
      appendPreference: async () => ({ line: 4 }),
      trainOn: async () => undefined,
      nameOf: dataset => dataset,
    },
    newCancellation,
    newId: () => 'y',
    nowMs: () => 5,
    isTrusted: () => true,
    columnOfRun: () => null,
    pickColumn: async () => undefined,
    saveFile: async () => null,
    openFile: async () => null,
    openRun: () => undefined,
    onShown: () => undefined,
    ...changes,
  });
  const channel = new WebviewChannel(page, () => undefined);
  const carryOut = (command: PlaygroundCommand) => channel.request(commandPlayground, command);
  const send = async (prompt: string) => {
    await carryOut({ do: 'send', prompt });
    await settled();
  };
  return { session, channel, carryOut, send, asked, log, endings };
}

const textsOf = ({ conversation }: PlaygroundSession<string>) =>
  conversation.turns.map(({ answers }) =>
    Object.values(answers).map(({ text, status, problem }) => problem ?? `${status} ${text}`),
  );

it('opens a base once for all its columns, and a session for each model of its own', async () => {
  const { send, log, asked } = open([base, pirate, merged]);
  await send('Hi');
  expect(log).toEqual(['open /m/base', 'open /m/merged', 'load /a/pirate', 'load /a/pirate']);
  expect(asked.map(({ model, adapters }) => [model, adapters])).toEqual([
    ['/m/base', []],
    ['/m/merged', []],
    ['/m/base', [{ name: '/a/pirate', weight: 1 }]],
  ]);
});

it('shows what fails in its column, and keeps the conversation when all have ended', async () => {
  const { session, send, asked, log } = open([base, pirate]);
  await send('Hi');
  asked[0]!.piece('Hel');
  asked[0]!.end('Hello');
  asked[1]!.fail('out of memory');
  await settled();
  expect(textsOf(session)).toEqual([['done Hello', 'out of memory']]);
  expect(log.at(-1)).toBe('keep 1');
});

it('lets no answer of a stopped turn reach the next one, though turns are numbered anew after Clear', async () => {
  const { session, send, carryOut, asked } = open([base]);
  await send('Hi');
  asked[0]!.piece('Hel');
  await carryOut({ do: 'clear' });
  await send('Ho');
  asked[0]!.piece('lo');
  await settled();
  expect(textsOf(session)).toEqual([['waiting ']]);
  asked[1]!.end('Ahoy');
  await settled();
  expect(textsOf(session)).toEqual([['done Ahoy']]);
});

it('opens the model again after it has ended, and attaches its adapters again', async () => {
  const { send, asked, log, endings } = open([pirate]);
  await send('Hi');
  asked[0]!.end('Ahoy');
  await settled();
  endings.get('/m/base')!();
  await send('More');
  const once = ['open /m/base', 'load /a/pirate', 'load /a/pirate'];
  expect(log.filter(entry => /^(open|load)/.test(entry))).toEqual([...once, ...once]);
});

it('releases the model with its tab, and when another model’s conversation is opened', async () => {
  const first = open([base]);
  await first.send('Hi');
  first.session.dispose();
  expect(first.log.at(-1)).toBe('release /m/base');
  const second = open([base]);
  await second.send('Hi');
  await second.carryOut({ do: 'openConversation', id: 'z' });
  expect(second.log).toContain('release /m/base');
});

it('says why a model can’t be opened, and tries again with the next message', async () => {
  let tries = 0;
  const { session, send, channel } = open([base], {
    sessions: {
      open: async () => {
        throw new Error(`not enough memory (${++tries})`);
      },
      sharingNote: () => null,
    },
  });
  await send('Hi');
  expect(textsOf(session)).toEqual([['not enough memory (1)']]);
  const { snapshot, prompt } = await channel.request(openPlaygroundPage, undefined);
  expect([snapshot.model.phase, snapshot.model.message, prompt]).toEqual(['failed', 'not enough memory (1)', 'Hi']);
  await send('More');
  expect(textsOf(session).at(-1)).toEqual(['not enough memory (2)']);
  // A page that is loaded again is past its first prompt.
  expect((await channel.request(openPlaygroundPage, undefined)).prompt).toBe('');
});

it('asks the session for its adapters with each message, as one may have been rewritten', async () => {
  const { send, asked, log } = open([pirate]);
  await send('Hi');
  asked[0]!.end('Ahoy');
  await settled();
  const before = log.length;
  await send('More');
  expect(log.slice(before)).toEqual(['load /a/pirate']);
});

it('answers the last of several messages sent at once, and stops the others', async () => {
  const { session, carryOut, asked } = open([base]);
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map(prompt => carryOut({ do: 'send', prompt })));
  await settled();
  for (const each of asked) each.end('Ahoy');
  await settled();
  expect(session.conversation.turns.map(({ prompt }) => prompt)).toEqual(['a', 'b', 'c', 'd', 'e']);
  const stopped = ['stopped '];
  expect(textsOf(session)).toEqual([stopped, stopped, stopped, stopped, ['done Ahoy']]);
});

it('keeps no conversation that was deleted or cleared while it was answered', async () => {
  for (const command of [{ do: 'deleteConversation', id: 'x' }, { do: 'clear' }] as const) {
    const stored = new Set<string>();
    const { send, carryOut, asked } = open([base], {
      store: {
        list: async () => [],
        read: async id => newConversation({ id, model: '/m/base', columns: [base] }),
        write: async ({ id }) => void stored.add(id),
        delete: async id => void stored.delete(id),
      },
    });
    await send('Hi');
    asked[0]!.piece('Hel');
    await carryOut(command);
    await settled();
    expect([...stored], command.do).toEqual([]);
  }
});

it('changes no answer of another conversation that was opened while a row was written', async () => {
  for (const command of [
    { do: 'correct', turn: 1, column: 'c1', text: 'Ahoy', into: 'conversation' },
    { do: 'vote', turn: 1, chosen: 'c1', rejected: 'c2' },
  ] as const) {
    let choose: (dataset: string) => void = () => undefined;
    const rows: unknown[] = [];
    const other = newConversation({ id: 'z', model: '/m/base', columns: [base, pirate] });
    const { session, send, carryOut, asked } = open([base, pirate], {
      store: { list: async () => [], read: async () => other, write: async () => {}, delete: async () => {} },
      corrections: {
        pickDataset: () => new Promise(resolve => (choose = resolve)),
        appendConversation: async (_, messages) => ({ line: rows.push(messages), problems: [] }),
        appendPreference: async (_, { prompt, chosen }) => ({ line: rows.push([...prompt, ...chosen]) }),
        trainOn: async () => undefined,
        nameOf: dataset => dataset,
      },
    });
    const answerBoth = async (texts: readonly string[]) => {
      asked.splice(0).forEach((each, index) => each.end(texts[index]!));
      await settled();
    };
    await send('Hi');
    await answerBoth(['Hello', 'Arr']);
    const carriedOut = carryOut(command);
    await settled();
    await carryOut({ do: 'openConversation', id: 'z' });
    await send('Ho');
    await answerBoth(['Hey', 'Yarr']);
    choose('data.jsonl');
    await carriedOut;
    const content = command.do === 'correct' ? 'Ahoy' : 'Hello';
    expect(rows).toEqual([
      [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content },
      ],
    ]);
    expect(textsOf(session)).toEqual([['done Hey', 'done Yarr']]);
    expect(session.conversation.turns[0]!.answers['c1']!.saved).toBeNull();
  }
});

it('has room for four columns', () => {
  const named = (name: string) => ({ ...pirate, name, parts: [{ name, path: `/a/${name}`, weight: 1 }] });
  const { session } = open([base, named('a'), named('b'), named('c')]);
  expect(session.hasRoomFor([base, named('b')])).toBe(true);
  expect(session.hasRoomFor([base, named('d')])).toBe(false);
});

it('offers weights that take less memory for a model that does not fit', async () => {
  const tried: unknown[] = [];
  const { carryOut, channel, session } = open([base], {
    sessions: {
      open: async ({ base_weights: weights }) => {
        tried.push(weights);
        throw new EngineInputError({ code: 'out_of_memory', message: 'needs about 8 GB' });
      },
      sharingNote: () => null,
    },
  });
  const offered = async () => (await channel.request(openPlaygroundPage, undefined)).snapshot.model.smaller;
  await expect(carryOut({ do: 'load' })).rejects.toThrow('needs about 8 GB');
  expect(await offered()).toBe('int8');
  await expect(carryOut({ do: 'load', base_weights: 'int8' })).rejects.toThrow();
  expect(await offered()).toBe('int4');
  await expect(carryOut({ do: 'load', base_weights: 'int4' })).rejects.toThrow();
  expect(await offered()).toBeUndefined();
  expect(tried).toEqual(['float32', 'int8', 'int4']);
  expect(session.conversation.base_weights).toBe('int4');
});

it('answers on the device of the run that it was opened on, also in a new conversation', async () => {
  const tried: unknown[] = [];
  const device = { backend: 'webgpu', adapter: 'NVIDIA L4' } as const;
  const { carryOut } = open([base], {
    conversation: newConversation({ id: 'x', model: '/m/base', device, columns: [base] }),
    sessions: {
      open: async ({ backend, adapter }) => {
        tried.push([backend, adapter]);
        throw new Error('busy');
      },
      sharingNote: () => null,
    },
  });
  await expect(carryOut({ do: 'load' })).rejects.toThrow('busy');
  await carryOut({ do: 'clear' }).catch(() => undefined);
  await expect(carryOut({ do: 'load' })).rejects.toThrow('busy');
  expect(tried.length).toBeGreaterThan(1);
  expect(new Set(tried.map(each => JSON.stringify(each)))).toEqual(new Set(['["webgpu","NVIDIA L4"]']));
});

it('releases a model that is loaded after another one was opened', async () => {
  const opened: ((session: ModelSession) => void)[] = [];
  const log: string[] = [];
  const { carryOut, session } = open([base], {
    sessions: { open: () => new Promise(resolve => opened.push(resolve)), sharingNote: () => null },
  });
  const loading = carryOut({ do: 'load' });
  await settled();
  await carryOut({ do: 'openConversation', id: 'z' });
  opened[0]!(modelSession('/m/base', [], log, new Map()));
  await expect(loading).rejects.toThrow('Another model was opened');
  expect([log, session.conversation.model]).toEqual([['release /m/base'], '/m/other']);
});

it('says where a correction is, and what is wrong with its row', async () => {
  const { session, send, carryOut, asked } = open([base]);
  await send('Hi');
  await expect(carryOut({ do: 'correct', turn: 1, column: 'c1', text: 'x', into: null })).rejects.toThrow(
    'no complete answer',
  );
  asked[0]!.end('Hello');
  await settled();
  expect(await carryOut({ do: 'correct', turn: 1, column: 'c1', text: 'Ahoy', into: 'conversation' })).toBe(
    'Added as line 3 of data.jsonl. The row is too long',
  );
  expect(session.conversation.turns[0]!.answers['c1']).toMatchObject({ text: 'Ahoy', original: 'Hello' });
});

it('scores an answer by another column, after the messages it was asked with', async () => {
  const { send, carryOut, channel, asked, log } = open([base, pirate, merged]);
  const score = (turn: number, by: string) => channel.request(scoreAnswer, { turn, column: 'c1', by });
  const answers = async (tokens: string[], from: number) => {
    for (const each of asked.slice(from)) each.end('Ahoy', tokens);
    await settled();
  };
  await send('Hi');
  expect(await score(1, 'c2')).toEqual([]);
  await answers(['t0', 't1'], 0);
  await send('More');
  await answers(['t0'], 3);
  await carryOut({ do: 'correct', turn: 1, column: 'c1', text: 'Changed', into: null });
  await carryOut({ do: 'setWeight', column: 'c2', path: '/a/pirate', weight: 0.5 });
  expect((await score(1, 'c2')).map(({ text }) => text)).toEqual(['t0', 't1']);
  expect(log.at(-1)).toBe('score /m/base [{"name":"/a/pirate","weight":0.5}] Hi');
  await score(2, 'c2');
  expect(log.at(-1)).toMatch(/Hi\|Ahoy\|More$/);
  await expect(score(1, 'c3')).rejects.toThrow('merged has another tokenizer');
});

it('trains no mixture', async () => {
  const mixture = { ...pirate, parts: [...pirate.parts, { name: 'b', path: '/a/b', weight: 0.5 }] };
  const { carryOut } = open([mixture]);
  await expect(carryOut({ do: 'train', column: 'c1' })).rejects.toThrow('continues from one adapter');
});

function modelSession(model: string, asked: Asked[], log: string[], endings: Map<string, () => void>): ModelSession {
  const facts = {
    model,
    context_length: 64,
    has_chat_template: true,
    template_variables: [],
    weight_bytes: 1,
    rss_bytes: 1,
    backend: 'wasm',
  };
  return {
    facts,
    load: async (name: string, path: string) => {
      log.push(`load ${name}`);
      return { name, path, peft_type: 'LORA', parameters: 1, scalable: true };
    },
    unload: async () => undefined,
    score: async ({ messages, adapters, token_ids: ids }: ScoringInput) => {
      const texts = messages!.map(({ content }) => content);
      log.push(`score ${model} ${JSON.stringify(adapters)} ${texts.join('|')}`);
      return ids.map((id, index) => ({ ...tokenOf(model === '/m/merged' ? 'other' : `t${index}`, index), id }));
    },
    countTokens: async () => 1,
    memory: async () => ({ rss_bytes: 1, cache_bytes: 1, available_bytes: 1 }),
    onDidEnd: (listener: () => void) => {
      endings.set(model, listener);
      return { dispose: () => undefined };
    },
    dispose: () => log.push(`release ${model}`),
    generate: (input: { adapters?: unknown }, { token, onPiece }: GenerateOptions) =>
      new Promise<GenerationAnswer>((resolve, reject) => {
        token.onCancellationRequested(() => reject(new Error('cancelled')));
        asked.push({
          model,
          adapters: input.adapters,
          piece: text => onPiece({ text, reasoning: '', tokens: 1 }),
          end: (text, tokens) => resolve({ ...wholeOf(text), logprobs: tokens?.map(tokenOf) ?? null }),
          fail: message => reject(new Error(message)),
        });
      }),
  } as unknown as ModelSession;
}

interface GenerateOptions {
  token: { onCancellationRequested(listener: () => void): unknown };
  onPiece(piece: Piece): void;
}

const tokenOf = (text: string, id: number): TokenLogprob => ({ id, text, logprob: -1, top: [] });

function wholeOf(text: string): GenerationAnswer {
  return {
    text,
    reasoning: '',
    tool_calls: [],
    finish_reason: 'stop',
    logprobs: null,
    token_ids: [],
    usage: { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 1, reasoning_tokens: 0 },
    dropped_turns: 0,
    first_token_ms: 1,
    tokens_per_second: null,
  };
}

function newCancellation() {
  const listeners: (() => void)[] = [];
  const token = {
    isCancellationRequested: false,
    onCancellationRequested: (listener: () => void) => listeners.push(listener),
  };
  const cancel = () => {
    token.isCancellationRequested = true;
    for (const listener of listeners) listener();
  };
  return { token, cancel, dispose: () => undefined } as never;
}

/** Two ends of a channel. */
function pair() {
  const listeners: [Set<(message: unknown) => void>, Set<(message: unknown) => void>] = [new Set(), new Set()];
  const end = (own: 0 | 1) => ({
    post: (message: unknown) =>
      queueMicrotask(() => listeners[own === 0 ? 1 : 0].forEach(listener => listener(structuredClone(message)))),
    listen: (listener: (message: unknown) => void) => {
      listeners[own].add(listener);
      return () => void listeners[own].delete(listener);
    },
  });
  return [end(0), end(1)] as const;
}
