// A session without a model, for tests of what is above it: it answers with the tokens that a test gives it, counts what is open,
// and keeps the requests. Adapters are names only.
import { CancelledError } from '../../extension/src/core/codedError.js';
import { InputError } from '../../extension/src/core/inputError.js';
import type { ServedSession } from '../../extension/src/engine/serve/app.js';
import type { AdapterFacts, GenerationAnswer, GenerationInput } from '../../extension/src/protocol/sessionMessages.js';

export interface ScriptedSession extends ServedSession {
  /** As `generate` got them. */
  requests: GenerationInput[];
  /** Answers under way. */
  open(): number;
  /** Lets all answers that wait for it go on. */
  release(): void;
  /** From now on, answers wait for `release` after their first piece. */
  hold(): void;
  /** Fails the next answer before its first piece, or after it. */
  failWith(error: Error, when: 'before' | 'after'): void;
  /** Changes what later answers are. */
  answers(changes: Partial<GenerationAnswer> & { pieces?: string[] }): void;
}

export const CONTEXT_LENGTH = 64;

export function adapterFacts(name: string, path = `/adapters/${name}`): AdapterFacts {
  const template = { has_chat_template: true, template_variables: [] };
  return { name, path, peft_type: 'LORA', parameters: 8, scalable: true, ...template };
}

/** An answer of the pieces `Hello`, ` `, `world`, with a log-probability for each. */
export function scriptedSession(names: readonly string[] = []): ScriptedSession {
  let adapters = names.map(name => adapterFacts(name));
  const requests: GenerationInput[] = [];
  let waiting: (() => void)[] = [];
  let held = false;
  let open = 0;
  let failure: { error: Error; when: 'before' | 'after' } | null = null;
  let pieces = ['Hello', ' ', 'world'];
  let changed: Partial<GenerationAnswer> = {};

  const paused = (signal?: AbortSignal) =>
    new Promise<void>(resolve => {
      if (!held || signal?.aborted) return resolve();
      waiting.push(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
      return undefined;
    });
  const failed = (when: 'before' | 'after') => {
    if (failure?.when !== when) return;
    const { error } = failure;
    failure = null;
    throw error;
  };

  const facts = {
    model: 'org/tiny',
    context_length: CONTEXT_LENGTH,
    has_chat_template: true,
    template_variables: ['enable_thinking'],
    weight_bytes: 1,
    rss_bytes: 1,
    backend: 'scripted',
  };
  return {
    requests,
    open: () => open,
    hold: () => void (held = true),
    release: () => {
      held = false;
      waiting.forEach(go => go());
      waiting = [];
    },
    failWith: (error, when) => void (failure = { error, when }),
    answers: ({ pieces: given, ...changes }) => {
      pieces = given ?? pieces;
      changed = changes;
    },
    facts,
    templateFacts: () => {
      const { has_chat_template, template_variables } = facts;
      return { has_chat_template, template_variables };
    },
    adapters: () => adapters,
    loadFolder: async (name, path) => {
      const facts = adapterFacts(name, path);
      adapters = [...adapters.filter(adapter => adapter.name !== name), facts];
      return facts;
    },
    unload: name => void (adapters = adapters.filter(adapter => adapter.name !== name)),
    memory: () => ({ cache_bytes: 5 }),
    generate: async (input, { signal, onPiece } = {}) => {
      requests.push(input);
      open++;
      try {
        await Promise.resolve();
        failed('before');
        const text = input.prompt ?? input.messages?.map(({ content }) => content).join(' ') ?? '';
        if (text.split(' ').length >= CONTEXT_LENGTH)
          throw new InputError('the prompt has too many tokens', {
            code: 'prompt_too_long',
            key: 'prompt',
            hint: 'Shorten it.',
          });
        const most = input.sampling?.max_new_tokens ?? pieces.length;
        const said = pieces.slice(0, most);
        const top = input.top_logprobs ?? null;
        const logprobs = said.map((piece, i) => ({
          id: i,
          text: piece,
          logprob: i === 2 ? -Infinity : -0.5 * (i + 1),
          top: [
            { id: i, text: piece, logprob: -0.5 * (i + 1) },
            { id: 9, text: 'x', logprob: -7 },
          ].slice(0, top ?? 0),
        }));
        for (const [i, piece] of said.entries()) {
          onPiece?.({
            text: piece,
            reasoning: '',
            tokens: i + 1,
            ...(top !== null && { logprobs: [logprobs[i]!] }),
          });
          await paused(signal);
          if (signal?.aborted) throw new CancelledError();
          failed('after');
        }
        return {
          text: said.join(''),
          reasoning: '',
          tool_calls: [],
          finish_reason: said.length < pieces.length ? 'length' : 'stop',
          logprobs: top === null ? null : logprobs,
          token_ids: said.map((_, i) => i),
          usage: { prompt_tokens: 7, cached_tokens: 3, completion_tokens: said.length, reasoning_tokens: 1 },
          dropped_turns: 0,
          first_token_ms: 30,
          tokens_per_second: 10,
          ...changed,
        };
      } finally {
        open--;
      }
    },
  };
}
