// The host of a playground for the webview tests: the product's own session, on models that answer from a script.
import type * as vscode from 'vscode';
import { newConversation } from '../../../../extension/src/core/playground/conversation.js';
import {
  PlaygroundSession,
  type ConversationStore,
  type NewColumn,
} from '../../../../extension/src/host/webviews/playgroundSession.js';
import { EngineInputError, type ModelSession, type Run } from '../../../../extension/src/host/services.js';
import type { Conversation, DatasetKind } from '../../../../extension/src/protocol/playgroundMessages.js';
import type {
  GenerationAnswer,
  GenerationInput,
  ScoringInput,
  SessionFacts,
  SessionSettings,
  TokenLogprob,
} from '../../../../extension/src/protocol/sessionMessages.js';
import type { WebviewChannel } from '../../../../extension/src/protocol/webviewChannel.js';

export interface ScriptedAnswer {
  /** Tokens with their probabilities. */
  tokens: readonly [text: string, probability: number][];
  reasoning?: string;
  more?: Partial<Pick<GenerationAnswer, 'dropped_turns' | 'finish_reason'>>;
  /** Fails instead. */
  error?: string;
}

export interface PlaygroundScript {
  columns: readonly NewColumn[];
  /** By the name of the column's first adapter, `base` for none; then by the last message, `*` for any. */
  answers: Record<string, Record<string, ScriptedAnswer>>;
  /** How likely a column finds the tokens of others, in turn; a text: why they can't be compared. */
  scores?: Record<string, readonly number[] | string>;
  facts?: Partial<SessionFacts>;
  /** The model can't be loaded. */
  refused?: string;
  trusted?: boolean;
  prompt?: string;
  /** What the pickers choose. */
  picks?: { column?: NewColumn; conversation?: string; preference?: string; file?: string };
  /** Folder of the run that training starts, which must exist. */
  trains?: string;
  kept?: readonly Conversation[];
  /** What is said of runs that train meanwhile. */
  sharing?: string;
  /** Answers stop here until `answerUpTo`. */
  heldAt?: number;
}

const FACTS: SessionFacts = {
  model: 'embedded:tiny',
  context_length: 512,
  has_chat_template: true,
  template_variables: [],
  weight_bytes: 7e6,
  rss_bytes: 2.1e8,
  backend: 'tensorflow',
};

type Listener = () => unknown;

export class FakePlayground {
  private readonly session: PlaygroundSession<string>;
  private limit: number;
  private sharing: string | null;
  /** Of the tokens of all answers. */
  private readonly texts = new Map<number, string>();
  private waiting: (() => void)[] = [];
  private readonly endings = new Set<Listener>();

  constructor(
    channel: WebviewChannel,
    private script: PlaygroundScript,
    runs: ReadonlyMap<string, unknown>,
    private readonly log: (entry: unknown) => void,
  ) {
    this.limit = script.heldAt ?? Infinity;
    this.sharing = script.sharing ?? null;
    const { picks = {}, trains } = script;
    let ids = 0;
    const lines: Record<string, number> = {};
    const append = (dataset: string) => (lines[dataset] = (lines[dataset] ?? 12) + 1);
    this.session = new PlaygroundSession<string>({
      channel,
      conversation: newConversation({ id: 'first', model: 'embedded:tiny', columns: script.columns }),
      prompt: script.prompt ?? '',
      folder: '/workspace',
      loadAtOnce: script.trusted !== false,
      sessions: { open: async settings => this.open(settings), sharingNote: () => this.sharing },
      store: memoryStore(script.kept ?? []),
      corrections: {
        pickDataset: async (kind: DatasetKind) => picks[kind],
        appendConversation: async (dataset, messages) => {
          log({ row: { dataset, messages } });
          return { line: append(dataset), problems: [] };
        },
        appendPreference: async (dataset, pair) => {
          log({ pair: { dataset, ...pair } });
          return { line: append(dataset) };
        },
        trainOn: async (result, dataset) => {
          log({ trained: { ...result, dataset } });
          return trains === undefined ? undefined : (runs.get(trains) as Run);
        },
        nameOf: dataset => dataset,
      },
      newCancellation: newCancellation as unknown as () => vscode.CancellationTokenSource,
      newId: () => `id-${++ids}`,
      nowMs: () => Date.parse('2026-05-04T10:20:00Z') + 60_000 * ++ids,
      isTrusted: () => script.trusted !== false,
      columnOfRun: run =>
        run.state().completed
          ? {
              name: run.name,
              model: null,
              run: run.folder,
              parts: [{ name: run.name, path: `${run.folder}/adapter`, weight: 1 }],
            }
          : null,
      pickColumn: async () => picks.column,
      saveFile: async (name, text) => {
        log({ saved: name, text });
        return `/workspace/${name}`;
      },
      openFile: async () => picks.file ?? null,
      openRun: folder => log({ openRun: folder }),
      onShown: ({ title }) => log({ title }),
    });
  }

  answerUpTo(tokens: number): void {
    this.limit = tokens;
    for (const go of this.waiting.splice(0)) go();
  }

  answerAs(answers: PlaygroundScript['answers']): void {
    this.script = { ...this.script, answers };
  }

  endRuns(): void {
    this.sharing = null;
    this.session.refresh();
  }

  endModel(): void {
    for (const listener of this.endings) listener();
  }

  propose(prompt: string): void {
    this.session.propose(prompt);
  }

  private open({ base_weights }: Pick<SessionSettings, 'base_weights'>): ModelSession {
    const { refused } = this.script;
    if (refused && base_weights === 'float32') throw new EngineInputError({ code: 'out_of_memory', message: refused });
    this.log({ opened: true });
    return {
      facts: { ...FACTS, ...this.script.facts },
      load: async (name, path) => {
        const { has_chat_template, template_variables } = FACTS;
        const about = { name, path, peft_type: 'LORA', parameters: 115_840, scalable: true };
        return { ...about, has_chat_template, template_variables };
      },
      unload: async () => undefined,
      generate: (input, options) => this.generate(input, options ?? {}),
      score: input => this.score(input),
      countTokens: async () => 1,
      memory: async () => ({ rss_bytes: 2.4e8, cache_bytes: 3e6, available_bytes: 6.1e9 }),
      onDidEnd: listener => {
        this.endings.add(listener as Listener);
        return { dispose: () => this.endings.delete(listener as Listener) };
      },
      dispose: () => this.log({ closed: true }),
    } as Omit<ModelSession, 'answerSuite'> as ModelSession;
  }

  private async score({ adapters, token_ids: ids, messages }: ScoringInput): Promise<TokenLogprob[]> {
    const who = whoOf(adapters);
    this.log({ scored: who, messages, adapters });
    const scores = this.script.scores?.[who] ?? [0.5];
    if (typeof scores === 'string') throw new Error(scores);
    return ids.map((id, index) => {
      const logprob = Math.log(scores[index % scores.length]!);
      return { id, text: this.texts.get(id)!, logprob, top: [] };
    });
  }

  private async generate(
    input: GenerationInput,
    { token, onPiece }: NonNullable<Parameters<ModelSession['generate']>[1]>,
  ): Promise<GenerationAnswer> {
    const who = whoOf(input.adapters);
    const asked = input.messages?.at(-1)?.content ?? input.prompt ?? '';
    this.log({
      asked: who,
      messages: input.messages,
      adapters: input.adapters,
      sampling: input.sampling,
      variables: input.template_variables,
    });
    const known = this.script.answers[who] ?? {};
    const scripted = known[asked] ?? known['*'];
    if (!scripted) throw new Error(`no script for ${who}: ${asked}`);
    if (scripted.error) throw new Error(scripted.error);
    if (scripted.reasoning) onPiece?.({ text: '', reasoning: scripted.reasoning, tokens: 0 });
    const logprobs = scripted.tokens.map(([text, share], index) => tokenOf(text, share, index));
    for (const { id, text } of logprobs) this.texts.set(id, text);
    for (const [index, logprob] of logprobs.entries()) {
      while (index >= this.limit) {
        const released = new Promise<void>(resolve => this.waiting.push(resolve));
        const cancelled = new Promise<void>(resolve => token!.onCancellationRequested(() => resolve()));
        await Promise.race([released, cancelled]);
        if (token!.isCancellationRequested) throw new Error('cancelled');
      }
      onPiece?.({ text: logprob.text, reasoning: '', logprobs: [logprob], tokens: index + 1 });
    }
    return {
      text: logprobs.map(({ text }) => text).join(''),
      reasoning: scripted.reasoning ?? '',
      tool_calls: [],
      finish_reason: 'stop',
      logprobs,
      token_ids: logprobs.map(({ id }) => id),
      usage: {
        prompt_tokens: 24,
        cached_tokens: (input.messages?.length ?? 0) > 1 ? 12 : 0,
        completion_tokens: logprobs.length,
        reasoning_tokens: scripted.reasoning ? scripted.reasoning.split(' ').length : 0,
      },
      dropped_turns: 0,
      first_token_ms: 41.2,
      tokens_per_second: 87.6,
      ...scripted.more,
    };
  }
}

function whoOf(adapters: GenerationInput['adapters']): string {
  const path = adapters?.[0]?.name;
  return path === undefined ? 'base' : path.split('/').at(-2)!;
}

/** A token with two alternatives; its id follows from its text. */
function tokenOf(text: string, share: number, index: number): TokenLogprob {
  const id = [...text].reduce((hash, character) => (hash * 31 + character.codePointAt(0)!) % 50_000, 7);
  const own = { id, text, logprob: Math.log(share) };
  const rest = (1 - share) * 0.7;
  const others = [
    { id: 60_000 + index, text: ' the', logprob: Math.log(Math.max(rest, 1e-9)) },
    { id: 70_000 + index, text: '\n', logprob: Math.log(Math.max((1 - share) * 0.2, 1e-9)) },
  ];
  return { ...own, top: [own, ...others].sort((a, b) => b.logprob - a.logprob) };
}

function memoryStore(kept: readonly Conversation[]): ConversationStore {
  const all = new Map(kept.map(each => [each.id, each]));
  return {
    list: async () =>
      [...all.values()]
        .map(({ id, title, updated_ms, turns }) => ({ id, title, updated_ms, turns: turns.length }))
        .sort((a, b) => b.updated_ms - a.updated_ms),
    read: async id => structuredClone(all.get(id)!),
    write: async conversation => void all.set(conversation.id, structuredClone(conversation)),
    delete: async id => void all.delete(id),
  };
}

function newCancellation() {
  const listeners = new Set<Listener>();
  const token = {
    isCancellationRequested: false,
    onCancellationRequested: (listener: Listener) => {
      listeners.add(listener);
      return { dispose: () => listeners.delete(listener) };
    },
  };
  return {
    token,
    cancel: () => {
      token.isCancellationRequested = true;
      for (const listener of listeners) listener();
    },
    dispose: () => listeners.clear(),
  };
}
