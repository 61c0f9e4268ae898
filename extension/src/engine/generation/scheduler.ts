// Decodes the open sequences together: each round reads a part of the prompts that wait and one token of every other
// sequence, those that can be a batch with one call of a graph. Sequences come and go between rounds; an error of one
// doesn't end the others. Called by session.ts, which makes text of the tokens.
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { CancelledError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { UntraceableError } from '../capture/opTable.js';
import { keyValueBytes } from '../models/architecture.js';
import type { CausalLm } from '../models/causalLm.js';
import { usablePositions } from '../models/rotaryTables.js';
import type { Adapter } from '../peft/adapter.js';
import { Batch, capacityFor, capacityWithin, MOST_ROWS, rowsFor } from './batch.js';
import { stacked, unstacked, type CacheSize } from './cacheTensor.js';
import { LoraPool, poolShape, type LoraShares, type LoraTensors } from './loraPool.js';
import { PrefixCache, type Found } from './prefixCache.js';
import { checkLogitSum } from './sampling.js';
import { StepGraphs, type StepForm } from './stepGraphs.js';
import { EagerReader, PROMPT_CHUNK, readTogether, type Prediction } from './tokenReader.js';
import { NO_SHARES, promptShares, type Variant } from './variant.js';

export interface SchedulerOptions {
  model: CausalLm;
  /** Whether to read tokens with captured graphs, once that pays off. */
  compile: boolean;
  /** Called once if an op can't be captured; decoding then stays eager. If absent, that is an error. */
  onWarning?: (code: string, message: string) => void;
  /** Tokens read op by op before a graph is compiled, which takes as long as a graph saves on this many. */
  eagerTokens?: number;
  /** Places of every batch, whose graph reads tokens from the first one on: answers don't depend on those before. */
  rows?: number;
  /** Of keys and values that are kept for later sequences. */
  cacheBytes?: number;
  /** Of keys and values of open sequences, of which further ones wait. If absent, there is no limit. */
  openBytes?: number;
}

export interface SequenceRequest {
  variant: Variant;
  /** Without virtual tokens. */
  promptIds: readonly number[];
  maxNewTokens: number;
  /** Whether `next` needs the logits. */
  needsLogits: boolean;
  /**
   * Chooses the next token, or null to end.
   * @param likeliest the most likely one
   * @param logits [vocab]; null if none are needed
   */
  next(likeliest: number, logits: Float32Array | null): number | null;
  /** Gets the logits after each token of the prompt from one on, but for the last, whose `next` gets. */
  observe?: PromptObserver;
  signal?: AbortSignal;
}

export interface PromptObserver {
  /** Index in `promptIds`. */
  from: number;
  /** @param logits [vocab] */
  take(logits: Float32Array): void;
}

export interface DecodedSequence {
  /** Of the prompt, tokens that didn't have to be read. */
  cachedTokens: number;
  /** Whether there was no more room, or `maxNewTokens` was reached. */
  outOfRoom: boolean;
}

class Sequence {
  /** Of `tokens`, those read. */
  read = 0;
  cachedTokens = 0;
  /** Until it joins a batch. */
  reader: EagerReader | null = null;
  batch: Batch<Sequence> | null = null;
  private readonly promptLength: number;

  /**
   * @param tokens the prompt with virtual tokens, to which the answer is added
   * @param most how long `tokens` may get
   */
  constructor(
    readonly request: SequenceRequest,
    readonly tokens: number[],
    readonly most: number,
    readonly settle: (result: DecodedSequence | Error) => void,
  ) {
    this.promptLength = tokens.length;
  }

  /** Keys and values, prefix included. */
  get length(): number {
    return this.request.variant.prefix + this.read;
  }

  /** What `length` may get. */
  get longest(): number {
    return this.request.variant.prefix + this.most;
  }

  /** The first token after which `observe` wants the logits. */
  get observedFrom(): number {
    const { observe, variant } = this.request;
    return observe ? variant.virtualTokens + observe.from : Infinity;
  }

  get isReadingPrompt(): boolean {
    return this.read < this.promptLength;
  }

  /** What of LoRA its steps have; none if they are another adapter's. */
  get shares(): LoraShares {
    const { steps } = this.request.variant;
    return 'shares' in steps ? steps.shares : NO_SHARES;
  }
}

const EAGER_TOKENS = 48;
/** Kept tokens from which on a prompt is read alone: a pass of its own takes as long as about so many tokens in a common one. */
const WORTH_A_PASS = 64;
/** Tokens of a prompt whose logits, of the whole vocabulary, are in memory at once. */
const OBSERVED_CHUNK = 32;
/** Most bytes of what is kept for later sequences. */
export const CACHE_BYTES = 256 << 20;

/** Sequences whose steps can be one batch: all with LoRA or nothing, or all with one adapter. */
type Group = Adapter | typeof POOLED;
const POOLED = { of: 'lora' } as const;

export class Scheduler {
  /** Tokens of the longest sequence, virtual ones and a prefix included. */
  readonly positions: number;
  private readonly graphs: StepGraphs;
  private readonly prefixes: PrefixCache;
  private readonly batches = new Map<Group, Batch<Sequence>>();
  private pool: LoraPool | null = null;
  /** Groups with an op that can't be captured. */
  private readonly uncaptured = new WeakSet<object>();
  /** By graph: tokens that are still read eagerly first. */
  private readonly eagerLeft = new Map<string, number>();
  private open: Sequence[] = [];
  private running = false;
  /** Set once this is disposed. */
  private onFreed: (() => void) | null = null;

  constructor(private readonly options: SchedulerOptions) {
    this.graphs = new StepGraphs(options.model);
    this.prefixes = new PrefixCache(options.cacheBytes ?? CACHE_BYTES);
    const { architecture } = options.model;
    this.positions = Math.min(usablePositions(architecture), capacityWithin(architecture, this.openBytes));
  }

  private get openBytes(): number {
    return this.options.openBytes ?? Infinity;
  }

  /** Bytes of keys and values. */
  get cacheBytes(): number {
    return this.prefixes.bytes + [...this.batches.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Forgets what was kept of some variants. */
  forget(isMeant: (variant: string) => boolean): void {
    this.prefixes.forget(isMeant);
  }

  /**
   * Continues a prompt.
   * @throws InputError if the prompt leaves no usable position for an answer
   * @throws CancelledError if `signal` is aborted, or the scheduler disposed
   */
  async decode(request: SequenceRequest): Promise<DecodedSequence> {
    if (this.onFreed) throw new CancelledError();
    const { variant, promptIds, maxNewTokens } = request;
    const { architecture } = this.options.model;
    const { positions } = this;
    const virtual = Array.from({ length: variant.virtualTokens }, (_, i) => architecture.vocabSize + i);
    const prompt = [...virtual, ...promptIds];
    const length = prompt.length + variant.prefix;
    if (length >= positions)
      throw new InputError(`the prompt has ${length} tokens, but the model reads at most ${positions}`, {
        code: 'prompt_too_long',
        key: 'prompt',
        hint: 'Shorten the prompt.',
      });
    const room = Math.min(maxNewTokens, positions - length);
    if (room === 0) return { cachedTokens: 0, outOfRoom: true };
    return new Promise((resolve, reject) => {
      const settle = (result: DecodedSequence | Error) => (result instanceof Error ? reject(result) : resolve(result));
      this.open.push(new Sequence(request, prompt, prompt.length + room, settle));
      if (!this.running) void this.run();
    });
  }

  /** Ends the open sequences, frees everything, then calls `onFreed`; at once if there are none. */
  dispose(onFreed: () => void = () => {}): void {
    this.onFreed = onFreed;
    if (this.open.length === 0) this.free();
  }

  private async run(): Promise<void> {
    this.running = true;
    await this.arrivals();
    while (this.open.length > 0) {
      for (const sequence of [...this.open])
        if (this.onFreed || sequence.request.signal?.aborted) this.end(sequence, new CancelledError());
      if (this.onFreed) this.free();
      const active = this.active();
      await this.readPrompts(active.filter(({ isReadingPrompt }) => isReadingPrompt));
      await this.readTokens(active.filter(sequence => this.isDecoding(sequence)));
      this.freeBatches();
      await this.arrivals();
    }
    this.running = false;
  }

  /** The oldest open sequences, as many as have room with their whole answers; one always has. */
  private active(): Sequence[] {
    let tokens = 0;
    const most = this.options.rows ?? MOST_ROWS;
    const rest = this.open.slice(0, most).findIndex(({ longest }, i) => {
      tokens = Math.max(tokens, longest);
      return i > 0 && this.bytesOf({ rows: rowsFor(i + 1), capacity: capacityFor(tokens, 0) }) > this.openBytes;
    });
    return this.open.slice(0, rest < 0 ? most : rest);
  }

  private bytesOf({ rows, capacity }: CacheSize): number {
    return rows * capacity * keyValueBytes(this.options.model.architecture);
  }

  /** Lets signals get through, and sequences that are opened at the same time, one message after the other, start together. */
  private async arrivals(): Promise<void> {
    let known;
    do {
      known = this.open.length;
      await setImmediate();
    } while (this.open.length > known);
  }

  private isDecoding(sequence: Sequence): boolean {
    return this.open.includes(sequence) && !sequence.isReadingPrompt;
  }

  /** Those that no sequence is in any more. */
  private freeBatches(): void {
    for (const [key, batch] of this.batches)
      if (batch.members.length === 0) {
        batch.dispose();
        this.batches.delete(key);
      }
  }

  private free(): void {
    this.freeBatches();
    this.graphs.dispose();
    this.prefixes.dispose();
    this.pool?.dispose();
    this.pool = null;
    this.onFreed?.();
  }

  private async readPrompts(waiting: readonly Sequence[]): Promise<void> {
    let left = PROMPT_CHUNK;
    const together = this.wholePrompts(waiting);
    if (together.length > 1) {
      left -= together.reduce((sum, { tokens }) => sum + tokens.length, 0);
      await this.guarded(together, () => this.readTogether(together));
    }
    for (const sequence of waiting) {
      if (left <= 0 || this.onFreed) return;
      if (!this.open.includes(sequence) || !sequence.isReadingPrompt) continue;
      await this.guarded([sequence], async () => {
        sequence.reader ??= this.begun(sequence);
        const { reader, tokens, read, observedFrom } = sequence;
        const last = tokens.length - 1;
        if (read >= observedFrom && read < last) {
          const part = tokens.slice(read, Math.min(read + OBSERVED_CHUNK, last));
          left -= part.length;
          return this.observe(sequence, part);
        }
        const part = tokens.slice(read, Math.min(read + left, read < observedFrom ? observedFrom : Infinity));
        left -= part.length;
        const prediction = reader.read(part);
        sequence.read += part.length;
        if (sequence.isReadingPrompt) tf.dispose([prediction.likeliest, prediction.logits]);
        else await this.advance([sequence], prediction);
      });
    }
  }

  /** The first prompts of which little is kept, as many as fit into one pass. */
  private wholePrompts(waiting: readonly Sequence[]): Sequence[] {
    let left = PROMPT_CHUNK;
    return waiting.filter(sequence => {
      const { reader, request, tokens } = sequence;
      if (reader || request.observe || tokens.length > left || !promptShares(request.variant)) return false;
      if ((this.kept(sequence)?.tokens ?? 0) >= WORTH_A_PASS) return false;
      left -= tokens.length;
      return true;
    });
  }

  private async readTogether(sequences: readonly Sequence[]): Promise<void> {
    const { model } = this.options;
    // With the adapters of all, which their steps need afterwards.
    const pool = this.poolFor(adaptersOf(this.active()));
    const strengths = pool.strengths(sequences.flatMap(({ tokens, shares }) => tokens.map(() => shares)));
    try {
      const prompts = sequences.map(({ tokens }) => tokens);
      const { prediction, caches } = readTogether(model, pool.form.forward([strengths, ...pool.tensors]), prompts);
      for (const [i, sequence] of sequences.entries()) {
        sequence.read = sequence.tokens.length;
        sequence.reader = new EagerReader(model, sequence.request.variant.forward, caches[i], sequence.read);
      }
      await this.advance(sequences, prediction);
    } finally {
      strengths.dispose();
    }
  }

  private async observe(sequence: Sequence, part: readonly number[]): Promise<void> {
    const logits = sequence.reader!.readEach(part);
    sequence.read += part.length;
    const vocab = logits.shape[1];
    const values = await logits.data<'float32'>();
    logits.dispose();
    for (let row = 0; row < part.length; row++)
      sequence.request.observe!.take(values.subarray(row * vocab, (row + 1) * vocab));
  }

  /** A reader that has what was kept of an earlier sequence. */
  private begun(sequence: Sequence): EagerReader {
    const { variant } = sequence.request;
    const { model } = this.options;
    const found = this.kept(sequence);
    if (!found) return new EagerReader(model, variant.forward);
    sequence.read = found.tokens;
    sequence.cachedTokens = Math.max(0, found.tokens - variant.virtualTokens);
    return new EagerReader(model, variant.forward, unstacked(found.rows, sequence.length), found.tokens);
  }

  private kept({ tokens, request, observedFrom }: Sequence): Found | null {
    const { key } = request.variant;
    return key === null ? null : this.prefixes.find(key, tokens.slice(0, observedFrom + 1));
  }

  private async readTokens(sequences: readonly Sequence[]): Promise<void> {
    const groups = new Map<Group, Sequence[]>();
    for (const sequence of sequences) {
      const { steps } = sequence.request.variant;
      const group = 'adapter' in steps ? steps.adapter : POOLED;
      groups.set(group, [...(groups.get(group) ?? []), sequence]);
    }
    for (const [group, members] of groups) {
      if (this.onFreed) return;
      const alone = await this.readBatch(group, members);
      for (const sequence of alone)
        await this.guarded([sequence], async () => {
          const prediction = sequence.reader!.read([sequence.tokens.at(-1)!]);
          sequence.read++;
          await this.advance([sequence], prediction);
        });
    }
  }

  /** Reads a token of those sequences for which there is a graph, or for which one pays. @returns the others */
  private async readBatch(group: Group, sequences: readonly Sequence[]): Promise<readonly Sequence[]> {
    if (!this.options.compile || this.uncaptured.has(group)) return sequences;
    const known = this.batches.get(group);
    const joined = sequences.filter(({ batch }) => batch);
    const rows = this.options.rows ?? rowsFor(sequences.length, known?.rows);
    const all = this.isDue(this.formKey(sequences), rows, sequences.length - joined.length);
    const members = all ? sequences : joined;
    if (members.length > 0)
      await this.guarded(members, async () => {
        const form = this.formOf(members);
        const batch = await this.batchOf(group, form, members, all ? rows : known!.rows);
        if (batch) await this.step(batch, form);
      });
    return sequences.filter(sequence => !members.includes(sequence) || this.uncaptured.has(group));
  }

  /** Whether there is a graph, or one pays by now. @param eager sequences that are otherwise read eagerly */
  private isDue(formKey: string, rows: number, eager: number): boolean {
    if (this.options.rows !== undefined || this.graphs.has(formKey, rows)) return true;
    const name = `${rows}/${formKey}`;
    const left = this.eagerLeft.get(name) ?? this.options.eagerTokens ?? EAGER_TOKENS;
    this.eagerLeft.set(name, left - eager);
    return left <= 0;
  }

  private formKey(sequences: readonly Sequence[]): string {
    const { steps } = sequences[0]!.request.variant;
    if ('form' in steps) return steps.form.key;
    const adapters = adaptersOf(sequences);
    return this.pool?.isOf(adapters) ? this.pool.form.key : poolShape(adapters).key;
  }

  private formOf(sequences: readonly Sequence[]): StepForm {
    const { steps } = sequences[0]!.request.variant;
    return 'form' in steps ? steps.form : this.poolFor(adaptersOf(sequences)).form;
  }

  /** The last pool, if it has these adapters and isn't larger than one of only these. */
  private poolFor(adapters: readonly LoraTensors[]): LoraPool {
    const { pool } = this;
    if (pool?.isOf(adapters) || (pool?.has(adapters) && pool.form.key === poolShape(adapters).key)) return pool;
    pool?.dispose();
    return (this.pool = new LoraPool(adapters, this.options.model.architecture));
  }

  /** The group's batch with these sequences in it; null if their step can't be captured. */
  private async batchOf(
    group: Group,
    form: StepForm,
    sequences: readonly Sequence[],
    rows: number,
  ): Promise<Batch<Sequence> | null> {
    const known = this.batches.get(group);
    const fits =
      known &&
      sequences.every(({ length }) => length < known.capacity) &&
      this.bytesOf({ rows, capacity: known.capacity }) <= this.openBytes;
    const needed = sequences.map(({ length, longest }) => capacityFor(length, longest - length));
    const size = { rows, capacity: fits ? known.capacity : Math.max(...needed) };
    if (!(await this.canCapture(group, form, size))) return null;
    const batch = known ?? new Batch<Sequence>(this.graphs, size);
    this.batches.set(group, batch);
    if (batch.rows !== size.rows || batch.capacity !== size.capacity) batch.resize(size);
    for (const sequence of sequences) {
      const { reader } = sequence;
      if (!reader) continue;
      const own = stacked(reader.cache);
      batch.join(sequence, own);
      sequence.batch = batch;
      sequence.reader = null;
      reader.dispose();
      own.dispose();
    }
    return batch;
  }

  private async canCapture(group: Group, form: StepForm, size: CacheSize): Promise<boolean> {
    try {
      await this.graphs.of(form, size);
      return true;
    } catch (error) {
      const { onWarning } = this.options;
      if (!(error instanceof UntraceableError) || !onWarning) throw error;
      onWarning('not_captured', `${error.message}; answers are decoded eagerly, which is slower`);
      this.uncaptured.add(group);
      return false;
    }
  }

  private async step(batch: Batch<Sequence>, form: StepForm): Promise<void> {
    const places = [...batch.places];
    const { steps } = batch.members[0]!.request.variant;
    const tokens = places.map(sequence => sequence?.tokens.at(-1) ?? 0);
    let prediction: Prediction;
    if ('adapter' in steps) prediction = await batch.step(form, tokens, [...steps.adapter.tensors.values()]);
    else {
      const pool = this.pool!;
      const strengths = pool.strengths(places.map(sequence => sequence?.shares ?? NO_SHARES));
      prediction = await batch.step(form, tokens, pool.rank > 0 ? [strengths, ...pool.tensors] : []);
      strengths.dispose();
    }
    for (const sequence of batch.members) sequence.read++;
    await this.advance(places, prediction);
  }

  /** Lets each sequence choose its next token. @param sequences by the prediction's rows; disposes it */
  private async advance(sequences: readonly (Sequence | null)[], { likeliest, logits }: Prediction): Promise<void> {
    const vocab = logits.shape[1]!;
    const needed = sequences.some(sequence => sequence?.request.needsLogits);
    const ids = await likeliest.data();
    const values = needed ? ((await logits.data()) as Float32Array) : null;
    const sum = tf.sum(logits, 1);
    const sums = await sum.data();
    tf.dispose([likeliest, logits, sum]);
    for (const [row, sequence] of sequences.entries()) {
      if (!sequence) continue;
      const { needsLogits, next } = sequence.request;
      const own = needsLogits ? values!.subarray(row * vocab, (row + 1) * vocab) : null;
      await this.guarded([sequence], () => {
        checkLogitSum(sums[row]!);
        const id = next(ids[row]!, own);
        if (id !== null) sequence.tokens.push(id);
        const outOfRoom = sequence.tokens.length === sequence.most;
        if (id === null || outOfRoom) this.end(sequence, { cachedTokens: sequence.cachedTokens, outOfRoom });
      });
    }
  }

  /** An error ends only these sequences. */
  private async guarded(sequences: readonly Sequence[], work: () => void | Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      for (const sequence of sequences) if (this.open.includes(sequence)) this.end(sequence, error as Error);
    }
  }

  /** Keeps what was read, unless it failed. */
  private end(sequence: Sequence, result: DecodedSequence | Error): void {
    const { reader, batch, tokens, read, request } = sequence;
    const { key } = request.variant;
    this.open = this.open.filter(other => other !== sequence);
    const failed = result instanceof Error && !(result instanceof CancelledError);
    if (key !== null && read > 0 && !failed && !this.onFreed)
      this.prefixes.keep(key, tokens.slice(0, read), batch ? batch.copy(sequence) : stacked(reader!.cache));
    batch?.leave(sequence);
    reader?.dispose();
    sequence.settle(result);
  }
}

function adaptersOf(sequences: readonly Sequence[]): LoraTensors[] {
  return [...new Set(sequences.flatMap(({ shares }) => [...shares.keys()]))];
}
