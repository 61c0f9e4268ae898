// The models in memory: a process `tunewright session` for each base, shared by those who use it, started on demand, ended when it
// has had nothing to do for long, when its last user's window closes, and never started in Restricted Mode.
import * as vscode from 'vscode';
import type { RequestType } from '../../protocol/messageTypes.js';
import { progressSchema } from '../../protocol/residentMessages.js';
import {
  countTokensRequest,
  generateRequest,
  loadAdapterRequest,
  memoryRequest,
  openRequest,
  pieceSchema,
  unloadAdapterRequest,
  type SessionFacts,
  type SessionSettings,
} from '../../protocol/sessionMessages.js';
import type { EngineProgram } from '../engineProcess/engineProgram.js';
import { ResidentProcess } from '../engineProcess/residentEngine.js';
import type { ModelSession, RequestOptions, SessionService } from '../services.js';

export interface SessionServiceOptions {
  /** @throws UntrustedWorkspaceError in Restricted Mode */
  program(): Promise<EngineProgram>;
  log(text: string): void;
  /** Time without a request after which a session ends. */
  idleMs(): number;
}

export class ProcessSessions implements SessionService, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  /** By their settings. */
  private readonly running = new Map<string, Promise<SharedSession>>();
  private ready: readonly SharedSession[] = [];

  constructor(private readonly options: SessionServiceOptions) {}

  get sessions(): readonly ModelSession[] {
    return this.ready;
  }

  async open(settings: SessionSettings, options: RequestOptions = {}): Promise<ModelSession> {
    const key = JSON.stringify(settings);
    const opening = this.running.get(key) ?? this.start(key, settings, options);
    return (await opening).hold();
  }

  dispose(): void {
    for (const session of this.ready) session.end();
    this.changed.dispose();
  }

  private start(key: string, settings: SessionSettings, options: RequestOptions): Promise<SharedSession> {
    const starting = SharedSession.start(settings, options, this.options);
    this.running.set(key, starting);
    const forget = () => {
      if (this.running.get(key) === starting) this.running.delete(key);
    };
    starting.then(session => {
      this.show([...this.ready, session]);
      session.onDidEnd(() => {
        forget();
        this.show(this.ready.filter(each => each !== session));
      });
    }, forget);
    return starting;
  }

  private show(ready: readonly SharedSession[]): void {
    this.ready = ready;
    this.changed.fire();
  }
}

/** One process with one base. */
class SharedSession implements ModelSession {
  private readonly ending = new vscode.EventEmitter<void>();
  readonly onDidEnd = this.ending.event;
  private open = 0;
  private idle: ReturnType<typeof setTimeout> | undefined;

  static async start(
    settings: SessionSettings,
    { token, onProgress }: RequestOptions,
    options: SessionServiceOptions,
  ): Promise<SharedSession> {
    const process = await ResidentProcess.start(await options.program(), options, 'session');
    try {
      const take = onProgress && ((value: unknown) => onProgress(progressSchema.parse(value)));
      const facts = await process.send(openRequest.name, settings, token, take);
      return new SharedSession(process, openRequest.result.parse(facts), options);
    } catch (error) {
      process.end();
      throw error;
    }
  }

  private constructor(
    private readonly process: ResidentProcess,
    readonly facts: SessionFacts,
    private readonly options: SessionServiceOptions,
  ) {
    void process.ended.then(() => {
      clearTimeout(this.idle);
      this.ending.fire();
    });
    this.wait();
  }

  /** The same session for one more user, whose `dispose` leaves it to the others. */
  hold(): ModelSession {
    const subscriptions: vscode.Disposable[] = [];
    return {
      facts: this.facts,
      load: (name, path) => this.load(name, path),
      unload: name => this.unload(name),
      generate: (input, options) => this.generate(input, options),
      countTokens: input => this.countTokens(input),
      memory: () => this.memory(),
      onDidEnd: listener => {
        const subscription = this.onDidEnd(listener);
        subscriptions.push(subscription);
        return subscription;
      },
      dispose: () => vscode.Disposable.from(...subscriptions).dispose(),
    };
  }

  load(name: string, path: string) {
    return this.request(loadAdapterRequest, { name, path });
  }

  async unload(name: string): Promise<void> {
    await this.request(unloadAdapterRequest, { name });
  }

  generate(...[input, { token, onPiece } = {}]: Parameters<ModelSession['generate']>) {
    const take = onPiece && ((value: unknown) => onPiece(pieceSchema.parse(value)));
    // The schema of the request has defaults, which the engine fills in.
    return this.request(
      generateRequest as RequestType<typeof input, Awaited<ReturnType<ModelSession['generate']>>>,
      input,
      token,
      take,
    );
  }

  async countTokens(input: Parameters<ModelSession['countTokens']>[0]): Promise<number> {
    return (await this.request(countTokensRequest, input)).tokens;
  }

  memory() {
    return this.request(memoryRequest, {});
  }

  end(): void {
    this.process.end();
  }

  dispose(): void {
    this.end();
  }

  private async request<P extends object, R>(
    type: RequestType<P, R>,
    params: P,
    token?: vscode.CancellationToken,
    onProgress?: (value: unknown) => void,
  ): Promise<R> {
    this.open++;
    clearTimeout(this.idle);
    try {
      return type.result.parse(await this.process.send(type.name, params, token, onProgress));
    } finally {
      if (--this.open === 0) this.wait();
    }
  }

  private wait(): void {
    this.idle = setTimeout(() => this.end(), this.options.idleMs());
  }
}
