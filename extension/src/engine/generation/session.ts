// One base model in memory and the adapters attached to it; requests that are open at once are decoded together. Each
// request chooses its adapters by name; the base is loaded once and never changed. Opened for `generate`, `chat`,
// `serve` and `session` by openSession.ts, and for a run's samples.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/inputError.js';
import { templateVariables } from '../../core/text/chatTemplate.js';
import { checkEmbedded } from '../../core/text/embeddedIds.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import {
  generationSchema,
  scoringSchema,
  type AdapterFacts,
  type ChatTurn,
  type GenerationAnswer,
  type GenerationInput,
  type GenerationRequest,
  type Mixture,
  type Piece,
  type ScoringInput,
  type SessionFacts,
  type TemplateFacts,
  type TokenLogprob,
} from '../../protocol/sessionMessages.js';
import { rssBytes } from '../machine/processMemory.js';
import type { Architecture } from '../models/architecture.js';
import type { CausalLm } from '../models/causalLm.js';
import { endTokensOf } from '../models/endTokens.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { Adapter } from '../peft/adapter.js';
import {
  checkedParameters,
  loadAdapter,
  openAdapter,
  type OpenOptions,
  type SavedAdapter,
} from '../peft/adapterFiles.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import type { LoraForm } from '../peft/method.js';
import { AnswerStream } from './answerStream.js';
import { LoraTensors } from './loraPool.js';
import { tokenLogprob } from './logprobs.js';
import { fittingPrompt, wholePrompt, type Prompt } from './prompt.js';
import { TokenSampler } from './sampling.js';
import { Scheduler } from './scheduler.js';
import { adapterVariant, loraVariant, type Variant } from './variant.js';

export interface SessionOptions {
  onDisk: ModelOnDisk;
  /** Belongs to the caller. */
  model: CausalLm;
  /** Whether to read tokens with captured graphs, once that pays off. */
  compile: boolean;
  /** Called once for each adapter if an op can't be captured. If absent, that is an error. */
  onWarning?: (code: string, message: string) => void;
  /** Opens what `loadFolder` attaches; by default, adapter folders. */
  openAdapter?: (folder: string, architecture: Architecture, options: OpenOptions) => SavedAdapter;
  /** Frees what the caller opened for this session; called by `dispose`. */
  onDispose?: () => void;
  /** Places of every batch, whose graph reads tokens from the first one on: answers don't depend on those before. */
  rows?: number;
  /** Of keys and values that are kept for follow-ups. */
  cacheBytes?: number;
  /** Of keys and values of the answers under way; limits the context, and how many are decoded at once. */
  openBytes?: number;
}

export interface GenerateCalls {
  /** Ends the answer within a token. */
  signal?: AbortSignal;
  onPiece?(piece: Piece): void;
  onToken?(id: number): void;
}

interface Attached {
  facts: AdapterFacts;
  /** In the names of variants: another adapter of the same name has another one. */
  id: number;
  /** Its factors, if it is LoRA and belongs to the session; else the adapter. */
  tensors: LoraTensors | Adapter;
  /** Whether it belongs to the session. */
  owned: boolean;
  /** Answers that use it. */
  uses: number;
  language: Language;
}

/** How a model reads and ends texts; an adapter with added tokens or a chat template has its own. */
interface Language {
  tokenizer: TextTokenizer;
  template: TemplateFacts;
  stopTokenIds: readonly number[];
}

/** The name that always means the base alone. */
export const BASE = 'base';

export class Session {
  readonly facts: SessionFacts;
  private readonly attached = new Map<string, Attached>();
  private readonly language: Language;
  private readonly scheduler: Scheduler;
  private nextId = 0;

  constructor(private readonly options: SessionOptions) {
    this.language = languageOf(options.onDisk);
    this.scheduler = new Scheduler(options);
    const { onDisk, model } = options;
    this.facts = {
      model: onDisk.files.reference,
      context_length: this.scheduler.positions,
      ...this.language.template,
      weight_bytes: model.weightBytes,
      rss_bytes: rssBytes(),
      backend: tf.getBackend(),
    };
  }

  adapters(): AdapterFacts[] {
    return [...this.attached.values()].map(({ facts }) => facts);
  }

  /** Of the chat template with which a request to these adapters is written. */
  templateFacts(adapters: Mixture): TemplateFacts {
    return this.languageOf(this.chosen(adapters)).template;
  }

  /**
   * Loads an adapter under a name, in place of one of that name; it belongs to the session.
   * @throws InputError if it doesn't fit this base, or the name is the base's
   */
  async load(name: string, saved: SavedAdapter): Promise<AdapterFacts> {
    this.checkName(name);
    const { onDisk, onWarning = () => {} } = this.options;
    const own = modelForAdapter(onDisk, saved, onWarning);
    const language = own.tokenizer === onDisk.tokenizer ? this.language : languageOf(own);
    const { attached, folder } = saved;
    const parameters = checkedParameters(saved);
    const form = attached.asLora();
    const loaded =
      form === null || typeof form === 'string'
        ? loadAdapter(saved, this.options.model)
        : await loraTensors(saved, form, this.options.model);
    const about = { peft_type: attached.method.peftType, parameters, path: folder };
    return this.attach(name, about, { tensors: loaded, owned: true, language });
  }

  /** The same from a folder. */
  async loadFolder(name: string, folder: string): Promise<AdapterFacts> {
    const { onDisk, onWarning, openAdapter: open = openAdapter } = this.options;
    const saved = open(folder, onDisk.architecture, { files: onDisk.files, onWarning });
    try {
      return await this.load(name, saved);
    } finally {
      saved.close();
    }
  }

  /** Lets requests choose an adapter that belongs to the caller, such as the one being trained. */
  share(name: string, adapter: Adapter): void {
    this.checkName(name);
    const { method, numParameters } = adapter;
    const about = { peft_type: method.peftType, parameters: numParameters, path: '' };
    this.attach(name, about, { tensors: adapter, owned: false, language: this.language });
  }

  /** Answers under way finish first. @throws InputError if no adapter has this name */
  unload(name: string): void {
    if (this.isBase(name))
      throw new InputError(`"${name}" is the base model, which can't be unloaded`, { key: 'name' });
    const attached = this.named(name);
    this.attached.delete(name);
    this.freeUnused(attached);
  }

  /**
   * @throws InputError if the request doesn't fit the model or the adapters, or leaves no room for an answer
   * @throws CancelledError if `signal` is aborted
   */
  async generate(input: GenerationInput, calls: GenerateCalls = {}): Promise<GenerationAnswer> {
    const request = generationSchema.parse(input);
    return this.using(request, (variant, language) => this.answer(request, variant, language, calls));
  }

  /**
   * How likely an answer of any adapter is after a conversation, token by token.
   * @throws InputError, CancelledError as `generate`
   */
  async score(input: ScoringInput, { signal }: Pick<GenerateCalls, 'signal'> = {}): Promise<TokenLogprob[]> {
    const request = scoringSchema.parse(input);
    const { token_ids: ids, top_logprobs: count } = request;
    return this.using(request, async (variant, { tokenizer }) => {
      const prompt = this.promptOf(request, variant, tokenizer);
      this.checkTokens(ids, variant, tokenizer);
      const scored: TokenLogprob[] = [];
      const take = (logits: Float32Array) => {
        scored.push(tokenLogprob(tokenizer, logits, ids[scored.length]!, count));
        return null;
      };
      await this.scheduler.decode({
        variant,
        promptIds: [...prompt.ids, ...ids.slice(0, -1)],
        observe: { from: prompt.ids.length - 1, take },
        maxNewTokens: 1,
        needsLogits: true,
        next: (_, logits) => take(logits!),
        signal,
      });
      return scored;
    });
  }

  /** Tokens of a conversation as the model would get it, or of a text. */
  countTokens({ messages, text = '' }: { messages?: ChatTurn[]; text?: string }): number {
    const { tokenizer } = this.options.onDisk;
    return messages ? wholePrompt(tokenizer, { messages }).ids.length : tokenizer.encode(text).length;
  }

  memory(): { cache_bytes: number } {
    return { cache_bytes: this.scheduler.cacheBytes };
  }

  /** Open answers are cancelled. */
  dispose(): void {
    const attached = [...this.attached.values()];
    this.attached.clear();
    this.scheduler.dispose(() => {
      for (const each of attached) if (each.owned) each.tensors.dispose();
      this.options.onDispose?.();
    });
  }

  /** Calls `work` with the adapters of a request, which aren't freed before it ends. */
  private async using<T>(
    { adapters }: { adapters: Mixture },
    work: (variant: Variant, language: Language) => Promise<T>,
  ): Promise<T> {
    const used = this.chosen(adapters);
    for (const { attached } of used) attached.uses++;
    try {
      return await work(variantOf(used), this.languageOf(used));
    } finally {
      for (const { attached } of used) {
        attached.uses--;
        this.freeUnused(attached);
      }
    }
  }

  private promptOf(request: GenerationRequest, variant: Variant, tokenizer: TextTokenizer): Prompt {
    const prompt = fittingPrompt(tokenizer, request, {
      positions: this.scheduler.positions - variant.virtualTokens - variant.prefix,
      maxNewTokens: request.sampling.max_new_tokens,
    });
    this.checkTokens(prompt.ids, variant, tokenizer);
    return prompt;
  }

  private checkTokens(ids: readonly number[], { vocabSize }: Variant, tokenizer: TextTokenizer): void {
    checkEmbedded(ids, vocabSize ?? this.options.model.architecture.vocabSize, tokenizer);
  }

  private async answer(
    request: GenerationRequest,
    variant: Variant,
    { tokenizer, stopTokenIds }: Language,
    { signal, onPiece, onToken }: GenerateCalls,
  ): Promise<GenerationAnswer> {
    const { sampling, top_logprobs: topLogprobs } = request;
    const prompt = this.promptOf(request, variant, tokenizer);
    const sampler = new TokenSampler(sampling, prompt.ids);
    const stream = new AnswerStream(tokenizer, request, prompt, onPiece);
    const began = performance.now();
    let firstAt = began;
    const { cachedTokens, outOfRoom } = await this.scheduler.decode({
      variant,
      promptIds: prompt.ids,
      maxNewTokens: sampling.max_new_tokens,
      needsLogits: !sampler.isPlainGreedy || topLogprobs !== null,
      signal,
      next: (likeliest, logits) => {
        const id = sampler.isPlainGreedy ? likeliest : sampler.choose(logits!);
        if (stopTokenIds.includes(id)) return null;
        sampler.add(id);
        if (stream.tokens === 0) firstAt = performance.now();
        onToken?.(id);
        return stream.push(id, logits) ? id : null;
      },
    });
    const ended = performance.now();
    const { reasoningTokens, ...parts } = stream.end(outOfRoom);
    const { tokens } = stream;
    return {
      ...parts,
      usage: {
        prompt_tokens: prompt.ids.length,
        cached_tokens: cachedTokens,
        completion_tokens: tokens,
        reasoning_tokens: reasoningTokens,
      },
      dropped_turns: prompt.droppedTurns,
      first_token_ms: (tokens > 0 ? firstAt : ended) - began,
      tokens_per_second: tokens > 1 ? ((tokens - 1) * 1000) / (ended - firstAt) : null,
    };
  }

  private attach(
    name: string,
    about: Pick<AdapterFacts, 'peft_type' | 'parameters' | 'path'>,
    loaded: Pick<Attached, 'tensors' | 'owned' | 'language'>,
  ): AdapterFacts {
    if (this.attached.has(name)) this.unload(name);
    const { template } = loaded.language;
    const facts = { name, ...about, ...template, scalable: loaded.tensors instanceof LoraTensors };
    this.attached.set(name, { facts, id: this.nextId++, uses: 0, ...loaded });
    return facts;
  }

  private checkName(name: string): void {
    if (this.isBase(name))
      throw new InputError(`an adapter can't have the name of the base model, "${name}"`, { key: 'name' });
  }

  private isBase(name: string): boolean {
    return name === BASE || name === this.options.onDisk.files.reference;
  }

  /** The adapters of a request, without the base. */
  private chosen(mixture: Mixture): Used[] {
    const used: Used[] = [];
    for (const { name, weight } of mixture) if (!this.isBase(name)) used.push({ attached: this.named(name), weight });
    const other = used.find(({ attached }) => !attached.facts.scalable);
    if (other && (used.length > 1 || other.weight !== 1)) {
      const { name, peft_type: method } = other.attached.facts;
      throw new InputError(`the ${method} adapter "${name}" can't be mixed with others or given a strength`, {
        key: 'adapters',
        hint: 'Only LoRA adapters without DoRA, trained biases and modules saved whole can; use this one alone, with 1.',
      });
    }
    return used;
  }

  /** That of the adapter with the most tokens, or of the first with a chat template of its own. */
  private languageOf(used: readonly Used[]): Language {
    const own = used.map(({ attached }) => attached.language).filter(language => language !== this.language);
    const all = [...own, this.language];
    return all.reduce((most, each) => (each.tokenizer.vocabSize > most.tokenizer.vocabSize ? each : most));
  }

  private named(name: string): Attached {
    const attached = this.attached.get(name);
    if (attached) return attached;
    const names = [BASE, ...this.attached.keys()].map(known => `"${known}"`).join(', ');
    throw new InputError(`no adapter is loaded under the name "${name}"`, {
      key: 'adapters',
      hint: `Loaded: ${names}.`,
    });
  }

  /** Frees an adapter that was unloaded, after its last answer. */
  private freeUnused(attached: Attached): void {
    const { facts, id, uses, owned, tensors } = attached;
    if (uses > 0 || this.attached.get(facts.name) === attached) return;
    this.scheduler.forget(variant => idsOf(variant).includes(id));
    if (owned) tensors.dispose();
  }
}

function languageOf(onDisk: ModelOnDisk): Language {
  const { tokenizer } = onDisk;
  const template = {
    has_chat_template: tokenizer.chatTemplate !== null,
    template_variables: templateVariables(tokenizer),
  };
  return { tokenizer, template, stopTokenIds: endTokensOf(onDisk) };
}

interface Used {
  attached: Attached;
  weight: number;
}

async function loraTensors(saved: SavedAdapter, form: LoraForm, model: CausalLm): Promise<LoraTensors> {
  const { tensors, purpose } = saved;
  if (purpose === 'inference') return new LoraTensors(form, key => tensors.get(key)!.readFloat32());
  // A checkpoint lacks frozen tensors, which the method computes.
  const adapter = loadAdapter(saved, model);
  try {
    const read = async ([key, tensor]: [string, tf.Tensor]) => [key, await tensor.data<'float32'>()] as const;
    const values = new Map(await Promise.all([...adapter.tensors].map(read)));
    return new LoraTensors(form, key => values.get(key)!);
  } finally {
    adapter.dispose();
  }
}

/** The key of a variant names each adapter by its id, with its strength. */
function idsOf(variant: string): number[] {
  return variant.split(' ').map(part => Number.parseInt(part, 10));
}

function variantOf(used: readonly Used[]): Variant {
  const [first] = used;
  if (first && first.attached.tensors instanceof Adapter) {
    const { id, owned, tensors } = first.attached;
    return adapterVariant(owned ? `${id}` : null, tensors);
  }
  const shares = new Map<LoraTensors, number>();
  const ids = new Map<number, number>();
  for (const { attached, weight } of used) {
    const tensors = attached.tensors as LoraTensors;
    shares.set(tensors, (shares.get(tensors) ?? 0) + weight);
    ids.set(attached.id, shares.get(tensors)!);
  }
  for (const [tensors, weight] of shares) if (weight === 0) shares.delete(tensors);
  const key = [...ids].flatMap(([id, weight]) => (weight === 0 ? [] : `${id}:${weight}`)).sort();
  return loraVariant(key.join(' '), shares);
}
