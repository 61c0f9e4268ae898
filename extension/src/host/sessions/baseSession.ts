// A base model in a process of its own (`tunewright session`), with the adapters that its holders have attached. Created by the session
// service. An adapter is read once for all holders; after a restart all of them are attached again.
import * as vscode from 'vscode';
import type { EngineError } from '../../protocol/engineError.js';
import {
  answerSuiteRequest,
  countTokensRequest,
  generateRequest,
  loadAdapterRequest,
  memoryRequest,
  openRequest,
  scoreRequest,
  unloadAdapterRequest,
  type AdapterFacts,
  type GenerationAnswer,
  type GenerationInput,
  type GenerationRequest,
  type ScoringInput,
  type JudgedAnswer,
  type ScoringRequest,
  type SessionFacts,
  type SessionSettings,
  type SuiteQuestions,
  type TokenLogprob,
} from '../../protocol/sessionMessages.js';
import type { Progress } from '../../protocol/residentMessages.js';
import { RequestProcess, type RequestProcessOptions, type Requests } from '../engineProcess/requestProcess.js';
import {
  EngineInputError,
  type GenerateOptions,
  type LoadedModel,
  type ModelSession,
  type RequestOptions,
  type SessionMemory,
} from '../services.js';
import { adapterContent } from './adapterContent.js';

export type SessionProcessOptions = Pick<RequestProcessOptions, 'program' | 'log' | 'idleMs' | 'start'>;

/** An adapter in the process. */
interface Attached {
  /** In the process; holders have their own names for it. */
  readonly name: string;
  readonly path: string;
  readonly content: string;
  facts: Promise<AdapterFacts>;
  uses: number;
}

export class BaseSession implements LoadedModel {
  private readonly process: RequestProcess;
  private readonly attached = new Set<Attached>();
  private readonly opening = new vscode.EventEmitter<Progress>();
  private readonly ending = new vscode.EventEmitter<void>();
  readonly onDidEnd = this.ending.event;
  private known: SessionFacts | null = null;
  private holders = 0;

  /** @param onDidChange its process was started or has ended, or its last holder is gone */
  constructor(
    private readonly settings: SessionSettings,
    options: SessionProcessOptions,
    private readonly onDidChange: () => void,
  ) {
    this.process = new RequestProcess({
      ...options,
      command: 'session',
      prepare: process => this.prepare(process),
      onDidChange: ready => {
        if (!ready) this.ending.fire();
        onDidChange();
      },
    });
  }

  get facts(): SessionFacts {
    return this.known!;
  }

  get running(): boolean {
    return this.process.ready;
  }

  get unused(): boolean {
    return this.holders === 0 && !this.running;
  }

  /** Loads the base if necessary. @throws as `SessionService.open` */
  async hold({ token, onProgress }: RequestOptions): Promise<ModelSession> {
    const listening = onProgress && this.opening.event(onProgress);
    this.holders++;
    try {
      await unlessCancelled(this.process.prepared(), token);
      return new HeldSession(this);
    } catch (error) {
      this.letGo();
      throw error;
    } finally {
      listening?.dispose();
    }
  }

  /** A holder is gone. A base that nobody waits for any more isn't loaded. */
  letGo(): void {
    this.holders--;
    if (this.holders === 0 && !this.running) this.process.end();
    this.onDidChange();
  }

  async attach(wanted: string, path: string): Promise<Attached> {
    await this.process.prepared();
    const content = adapterContent(path);
    // One whose folder is gone, such as an older checkpoint of a run, still answers.
    const isCurrent = (each: Attached) => content === '' || each.content === content;
    const known = [...this.attached].findLast(each => each.path === path && isCurrent(each));
    const adapter = known ?? this.add(wanted, path, content);
    adapter.uses++;
    try {
      await adapter.facts;
    } catch (error) {
      this.attached.delete(adapter);
      throw error;
    }
    return adapter;
  }

  detach(adapter: Attached): void {
    if (--adapter.uses > 0 || !this.attached.delete(adapter)) return;
    // A process that has ended has no adapters.
    void this.process.observe(unloadAdapterRequest, { name: adapter.name }).catch(() => {});
  }

  /** @param input with the names of adapters in the process */
  generate(input: GenerationInput, { token, onPiece }: GenerateOptions): Promise<GenerationAnswer> {
    // The engine fills in defaults, and says what is wrong.
    return this.process.request(generateRequest, input as GenerationRequest, { token, onProgress: onPiece });
  }

  async score(input: ScoringInput, { token }: Pick<GenerateOptions, 'token'>): Promise<TokenLogprob[]> {
    return (await this.process.request(scoreRequest, input as ScoringRequest, { token })).logprobs;
  }

  /** @param questions with the name of the adapter in the process */
  async answerSuite(questions: SuiteQuestions, options: RequestOptions<JudgedAnswer>): Promise<string[]> {
    return (await this.process.request(answerSuiteRequest, questions, options)).warnings;
  }

  async countTokens(input: Parameters<ModelSession['countTokens']>[0]): Promise<number> {
    return (await this.process.request(countTokensRequest, input)).tokens;
  }

  memory(): Promise<SessionMemory> {
    return this.process.observe(memoryRequest, {});
  }

  end(): void {
    this.process.end();
  }

  private add(wanted: string, path: string, content: string): Attached {
    const taken = new Set([...this.attached].map(({ name }) => name));
    const name = freeName(wanted, taken);
    const facts = this.process.request(loadAdapterRequest, { name, path });
    const adapter = { name, path, content, facts, uses: 0 };
    this.attached.add(adapter);
    return adapter;
  }

  private async prepare(process: Requests): Promise<void> {
    const onProgress = (progress: Progress) => this.opening.fire(progress);
    this.known = await process.request(openRequest, this.settings, { onProgress });
    for (const adapter of this.attached) {
      adapter.facts = process.request(loadAdapterRequest, { name: adapter.name, path: adapter.path });
      // Reported to the requests that name it.
      await adapter.facts.catch(() => {});
    }
  }
}

/** One holder's view of a base: its own names for adapters. */
class HeldSession implements ModelSession {
  private readonly adapters = new Map<string, Attached>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private isOver = false;

  constructor(private readonly base: BaseSession) {}

  get facts(): SessionFacts {
    return this.base.facts;
  }

  readonly onDidEnd: vscode.Event<void> = listener => {
    const subscription = this.base.onDidEnd(listener);
    this.subscriptions.push(subscription);
    return subscription;
  };

  async load(name: string, path: string): Promise<AdapterFacts> {
    const adapter = await this.base.attach(name, path);
    const previous = this.adapters.get(name);
    this.adapters.set(name, adapter);
    if (previous) this.base.detach(previous);
    if (this.isOver) this.detachAll();
    return { ...(await adapter.facts), name };
  }

  async unload(name: string): Promise<void> {
    this.base.detach(this.named(name));
    this.adapters.delete(name);
  }

  async generate(input: GenerationInput, options: GenerateOptions = {}): Promise<GenerationAnswer> {
    return this.base.generate({ ...input, adapters: await this.parts(input) }, options);
  }

  async score(input: ScoringInput, options: Pick<GenerateOptions, 'token'> = {}): Promise<TokenLogprob[]> {
    return this.base.score({ ...input, adapters: await this.parts(input) }, options);
  }

  async answerSuite(questions: SuiteQuestions, options: RequestOptions<JudgedAnswer> = {}): Promise<string[]> {
    const { adapter } = questions;
    const name = adapter === null ? null : (await this.part({ name: adapter })).name;
    return this.base.answerSuite({ ...questions, adapter: name }, options);
  }

  countTokens(input: Parameters<ModelSession['countTokens']>[0]): Promise<number> {
    return this.base.countTokens(input);
  }

  memory(): Promise<SessionMemory> {
    return this.base.memory();
  }

  dispose(): void {
    if (this.isOver) return;
    this.isOver = true;
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.detachAll();
    this.base.letGo();
  }

  private detachAll(): void {
    for (const adapter of this.adapters.values()) this.base.detach(adapter);
    this.adapters.clear();
  }

  /** The adapters of a request by their names in the process. */
  private parts({ adapters = [] }: Pick<GenerationInput, 'adapters'>): Promise<NonNullable<typeof adapters>> {
    return Promise.all(adapters.map(async part => ({ ...part, ...(await this.part(part)) })));
  }

  private async part({ name }: { name: string }): Promise<{ name: string }> {
    if (!this.adapters.has(name) && (name === 'base' || name === this.facts.model)) return { name };
    const adapter = this.named(name);
    // Fails if it could not be attached again after a restart.
    await adapter.facts;
    return { name: adapter.name };
  }

  private named(name: string): Attached {
    const adapter = this.adapters.get(name);
    if (adapter) return adapter;
    const names = ['base', ...this.adapters.keys()].map(known => `“${known}”`).join(', ');
    const message = `no adapter is loaded as “${name}”`;
    const record: EngineError = { code: 'bad_input', message, key: 'adapters', hint: `Loaded: ${names}.` };
    throw new EngineInputError(record);
  }
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let i = 2; taken.has(name); i++) name = `${wanted} (${i})`;
  return name;
}

/** @throws vscode.CancellationError as soon as `token` is cancelled */
function unlessCancelled<T>(work: Promise<T>, token: vscode.CancellationToken | undefined): Promise<T> {
  if (!token) return work;
  return new Promise((resolve, reject) => {
    const cancelling = token.onCancellationRequested(() => reject(new vscode.CancellationError()));
    work.then(resolve, reject).finally(() => cancelling.dispose());
  });
}
