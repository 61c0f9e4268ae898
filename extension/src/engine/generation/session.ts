// One base model in memory, the adapters attached to it, and a decoder for each. Used by `generate`, `chat`, `serve`, the
// host's sessions and a run's samples. Each request chooses its adapters by name; the base is loaded once and never
// changed.
import * as tf from '@tensorflow/tfjs-core';
import { CancelledError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { checkEmbedded } from '../../core/text/embeddedIds.js';
import {
  generationSchema,
  type AdapterFacts,
  type ChatTurn,
  type GenerationAnswer,
  type GenerationInput,
  type Mixture,
  type Piece,
  type SessionFacts,
} from '../../protocol/sessionMessages.js';
import { createRng } from '../data/rng.js';
import { rssBytes } from '../machine/processMemory.js';
import type { CausalLm } from '../models/causalLm.js';
import { endTokensOf } from '../models/endTokens.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { usablePositions } from '../models/rotaryTables.js';
import type { Adapter } from '../peft/adapter.js';
import { loadAdapter, openAdapter, type SavedAdapter } from '../peft/adapterFiles.js';
import { Decoder } from './generate.js';
import { requestIds } from './prompt.js';

export interface SessionOptions {
  onDisk: ModelOnDisk;
  /** Belongs to the caller. */
  model: CausalLm;
  /** Whether to read tokens with captured graphs, once that pays off. */
  compile: boolean;
  /** Called once for each adapter if an op can't be captured. If absent, that is an error. */
  onWarning?: (code: string, message: string) => void;
  /** Frees what the caller opened for this session; called by `dispose`. */
  onDispose?: () => void;
}

export interface GenerateCalls {
  /** Ends the answer within a token. */
  signal?: AbortSignal;
  onPiece?(piece: Piece): void;
  onToken?(id: number): void;
}

interface Attached {
  facts: AdapterFacts | null;
  adapter: Adapter | null;
  decoder: Decoder;
  /** Whether the session loaded the adapter, and disposes it. */
  owned: boolean;
}

/** The name that always means the base alone. */
export const BASE = 'base';

export class Session {
  private readonly attached = new Map<string, Attached>();
  private readonly stopTokenIds: number[];
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SessionOptions) {
    this.stopTokenIds = endTokensOf(options.onDisk);
    this.attach(BASE, null, false);
  }

  get facts(): SessionFacts {
    const { onDisk, model } = this.options;
    return {
      model: onDisk.files.reference,
      context_length: usablePositions(model.architecture),
      has_chat_template: onDisk.tokenizer.chatTemplate !== null,
      template_variables: [],
      weight_bytes: model.weightBytes,
      rss_bytes: rssBytes(),
      backend: tf.getBackend(),
    };
  }

  adapters(): AdapterFacts[] {
    return [...this.attached.values()].flatMap(({ facts }) => facts ?? []);
  }

  /**
   * Loads an adapter under a name, in place of one of that name; it belongs to the session.
   * @throws InputError if it doesn't fit this base, or the name is the base's
   */
  load(name: string, saved: SavedAdapter): AdapterFacts {
    return this.attach(name, loadAdapter(saved, this.options.model), true, saved.folder)!;
  }

  /** The same from a folder. */
  loadFolder(name: string, folder: string): AdapterFacts {
    const { onDisk, onWarning } = this.options;
    const saved = openAdapter(folder, onDisk.architecture, { files: onDisk.files, onWarning });
    try {
      return this.load(name, saved);
    } finally {
      saved.close();
    }
  }

  /** Lets requests choose an adapter that belongs to the caller, such as the one being trained. */
  share(name: string, adapter: Adapter): void {
    this.attach(name, adapter, false);
  }

  /** Answers under way finish first. @throws InputError if no adapter has this name */
  unload(name: string): void {
    const attached = this.named(name);
    if (!attached.facts) throw new InputError(`"${name}" is the base model, which can't be unloaded`, { key: 'name' });
    this.attached.delete(name);
    this.turn = this.turn.then(() => release(attached));
  }

  /**
   * @throws InputError if the request doesn't fit the model or the adapters, or leaves no room for an answer
   * @throws CancelledError if `signal` is aborted
   */
  generate(request: GenerationInput, calls: GenerateCalls = {}): Promise<GenerationAnswer> {
    const answer = this.turn.then(() => this.answer(request, calls));
    this.turn = answer.catch(() => {});
    return answer;
  }

  /** Tokens of a conversation as the model would get it, or of a text. */
  countTokens({ messages, text = '' }: { messages?: ChatTurn[]; text?: string }): number {
    const { tokenizer } = this.options.onDisk;
    return messages ? requestIds(tokenizer, { messages }).length : tokenizer.encode(text).length;
  }

  memory(): { cache_bytes: number } {
    return { cache_bytes: 0 };
  }

  dispose(): void {
    for (const attached of this.attached.values()) release(attached);
    this.attached.clear();
    this.options.onDispose?.();
  }

  private async answer(input: GenerationInput, { signal, onPiece, onToken }: GenerateCalls): Promise<GenerationAnswer> {
    const request = generationSchema.parse(input);
    const { sampling } = request;
    const { decoder, adapter } = this.chosen(request.adapters);
    const { tokenizer } = this.options.onDisk;
    const prompt = requestIds(tokenizer, request);
    checkEmbedded(prompt, (adapter?.attached ?? this.options.model).architecture.vocabSize, tokenizer);
    const decoded = (ids: number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
    const began = performance.now();
    let firstAt = began;
    const tokens: number[] = [];
    let shown = '';
    const tokenIds = await decoder.generate(prompt, {
      maxNewTokens: sampling.max_new_tokens,
      stopTokenIds: this.stopTokenIds,
      temperature: sampling.temperature,
      topP: sampling.top_p,
      rng: createRng(sampling.seed),
      onToken: id => {
        if (tokens.push(id) === 1) firstAt = performance.now();
        onToken?.(id);
        if (onPiece) {
          const text = decoded(tokens);
          // A character may take several tokens; an incomplete one decodes to a replacement character.
          if (!text.endsWith('\uFFFD')) {
            onPiece({ text: text.slice(shown.length), reasoning: '', tokens: tokens.length });
            shown = text;
          }
        }
        return !signal?.aborted;
      },
    });
    if (signal?.aborted) throw new CancelledError();
    const ended = performance.now();
    const text = decoded(tokenIds);
    if (onPiece && text.length > shown.length)
      onPiece({ text: text.slice(shown.length), reasoning: '', tokens: tokenIds.length });
    return {
      text,
      reasoning: '',
      tool_calls: [],
      finish_reason: tokenIds.length < sampling.max_new_tokens ? 'stop' : 'length',
      logprobs: null,
      token_ids: tokenIds,
      usage: {
        prompt_tokens: prompt.length,
        cached_tokens: 0,
        completion_tokens: tokenIds.length,
        reasoning_tokens: 0,
      },
      dropped_turns: 0,
      first_token_ms: (tokenIds.length > 0 ? firstAt : ended) - began,
      tokens_per_second: tokenIds.length > 1 ? ((tokenIds.length - 1) * 1000) / (ended - firstAt) : null,
    };
  }

  private attach(name: string, adapter: Adapter | null, owned: boolean, path = ''): AdapterFacts | null {
    const { model, compile, onWarning } = this.options;
    if (adapter && this.isBase(name))
      throw new InputError(`an adapter can't have the name of the base model, "${name}"`, { key: 'name' });
    if (this.attached.has(name)) this.unload(name);
    const facts = adapter && {
      name,
      path,
      peft_type: adapter.method.peftType,
      parameters: adapter.numParameters,
      scalable: typeof adapter.attached.asLora() === 'object' && adapter.attached.asLora() !== null,
    };
    this.attached.set(name, { facts, adapter, decoder: new Decoder({ model, adapter, compile, onWarning }), owned });
    return facts;
  }

  private isBase(name: string): boolean {
    return name === BASE || name === this.options.onDisk.files.reference;
  }

  private chosen(mixture: Mixture): Attached {
    const own = mixture.filter(({ name }) => !this.isBase(name));
    if (own.length === 0) return this.named(BASE);
    const [{ name, weight }] = own as [Mixture[number]];
    if (own.length > 1 || weight !== 1)
      throw new InputError('mixtures and strengths are not there yet', { key: 'adapters' });
    return this.named(name);
  }

  private named(name: string): Attached {
    const attached = this.attached.get(this.isBase(name) ? BASE : name);
    if (attached) return attached;
    const names = [...this.attached.keys()].map(known => `"${known}"`).join(', ');
    throw new InputError(`no adapter is loaded under the name "${name}"`, {
      key: 'adapters',
      hint: `Loaded: ${names}.`,
    });
  }
}

function release({ adapter, decoder, owned }: Attached): void {
  decoder.dispose();
  if (owned) adapter?.dispose();
}
