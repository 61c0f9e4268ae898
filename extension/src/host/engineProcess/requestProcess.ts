// A process of the engine that answers requests as JSON-RPC on its standard input and output: `tunewright resident` (used by the engine
// service) and `tunewright session` (by sessions/). Started by the first request and again after a crash; ended when it has been idle
// for long, and by its owner.
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import * as vscode from 'vscode';
import {
  CancellationToken,
  createMessageConnection,
  ProgressType,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { engineErrorSchema } from '../../protocol/engineError.js';
import type { RequestType } from '../../protocol/messageTypes.js';
import { EngineFailure, type RequestOptions } from '../services.js';
import { trusted } from '../trustedActions.js';
import { engineErrorOf, lastWords } from './engineErrors.js';
import type { EngineProgram } from './engineProgram.js';

/** Time for the engine to end after its input has ended, before it is killed. */
const GRACE_MS = 5_000;

export interface RequestProcessOptions {
  /** The command of the engine. */
  command: 'resident' | 'session';
  /** @throws UntrustedWorkspaceError in Restricted Mode */
  program(): Promise<EngineProgram>;
  /** Receives the standard error of the process, and its start and end. */
  log(text: string): void;
  /** Idle time after which it is ended, to free its memory. */
  idleMs(): number;
  /** Called with each new process before its first request. If it fails, the process ends and so does the request. */
  prepare?(process: Requests): Promise<void>;
  /** A process is prepared, or no longer used, since it was ended or has crashed. */
  onDidChange?(ready: boolean): void;
  /** For tests. */
  start?(program: EngineProgram): ChildProcessWithoutNullStreams;
}

/** What sends requests. */
export interface Requests {
  /**
   * @throws EngineInputError for invalid input, vscode.CancellationError if `token` is cancelled, EngineFailure if the
   *   engine fails or ends before it answers, UntrustedWorkspaceError
   */
  request<P extends object, R, V>(type: RequestType<P, R, V>, params: P, options?: RequestOptions<V>): Promise<R>;
}

const progressType = new ProgressType<unknown>();

export class RequestProcess implements Requests, vscode.Disposable {
  private process: Promise<RunningProcess> | null = null;
  private current: RunningProcess | null = null;
  private isReady = false;
  private open = 0;
  private idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: RequestProcessOptions) {}

  /** Whether a process is running and prepared. */
  get ready(): boolean {
    return this.isReady;
  }

  request<P extends object, R, V>(type: RequestType<P, R, V>, params: P, options?: RequestOptions<V>): Promise<R> {
    return this.use(running => running.request(type, params, options));
  }

  /** A request to the running process that doesn't count as its use: it starts none. @throws also if none is running */
  async observe<P extends object, R>(type: RequestType<P, R>, params: P): Promise<R> {
    if (!this.isReady) throw new EngineFailure('The engine is not running.');
    return (await this.process!).request(type, params);
  }

  /** Starts the process if necessary. @throws as `request`, and what `prepare` throws */
  prepared(): Promise<void> {
    return this.use(async () => {});
  }

  /** Ends the process; the next request starts another. Open requests fail. */
  end(): void {
    clearTimeout(this.idle);
    const ending = this.process;
    this.forget();
    // At once, even if it is still being prepared.
    this.current?.end();
    void ending?.then(
      running => running.end(),
      () => {},
    );
  }

  dispose(): void {
    this.end();
  }

  private async use<R>(work: (running: RunningProcess) => Promise<R>): Promise<R> {
    this.open++;
    clearTimeout(this.idle);
    try {
      return await work(await (this.process ?? this.start()));
    } finally {
      if (--this.open === 0) this.idle = setTimeout(() => this.end(), this.options.idleMs());
    }
  }

  private start(): Promise<RunningProcess> {
    const starting = this.preparedProcess();
    this.process = starting;
    const forget = () => {
      if (this.process === starting) this.forget();
    };
    starting.then(running => {
      void running.ended.then(forget);
      if (this.process === starting) this.setReady(true);
    }, forget);
    return starting;
  }

  private forget(): void {
    this.process = null;
    if (this.isReady) this.setReady(false);
  }

  private setReady(ready: boolean): void {
    this.isReady = ready;
    this.options.onDidChange?.(ready);
  }

  private async preparedProcess(): Promise<RunningProcess> {
    const running = await RunningProcess.start(await this.options.program(), this.options);
    this.current = running;
    try {
      await this.options.prepare?.(running);
      return running;
    } catch (error) {
      running.end();
      throw error;
    }
  }
}

/** One process, from its start to its end. */
class RunningProcess implements Requests {
  readonly ended: Promise<void>;
  private readonly connection: MessageConnection;
  private words = '';
  private isOver = false;
  private lastToken = 0;

  static async start(program: EngineProgram, options: RequestProcessOptions): Promise<RunningProcess> {
    const { command, log, start = () => spawnEngine(program, command) } = options;
    const child = start(program);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', error =>
        reject(new EngineFailure(`The engine could not be started with ${program.command}: ${error.message}`)),
      );
    });
    return new RunningProcess(child, `tunewright ${command} ${child.pid}`, log);
  }

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    name: string,
    log: (text: string) => void,
  ) {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.words = (this.words + text).slice(-16_384);
      log(text.trimEnd());
    });
    const fault = (text: string) => log(`${name}: ${text}`);
    this.connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
      { error: fault, warn: fault, info: () => {}, log: () => {} },
    );
    this.ended = new Promise(resolve =>
      child.once('close', (code, signal) => {
        log(`${name} ended (${signal ?? code})`);
        this.isOver = true;
        // Rejects the open requests.
        this.connection.dispose();
        resolve();
      }),
    );
    // Writing to a process that has just ended; `close` reports its end.
    this.connection.onError(() => {});
    this.connection.listen();
    log(`${name} started`);
  }

  async request<P extends object, R, V>(
    { name, result, progress }: RequestType<P, R, V>,
    params: P,
    { token = CancellationToken.None, onProgress }: RequestOptions<V> = {},
  ): Promise<R> {
    const progressToken = onProgress && ++this.lastToken;
    const listening =
      onProgress &&
      this.connection.onProgress(progressType, progressToken!, value => onProgress(progress.parse(value)));
    try {
      return result.parse(await this.send(name, { ...params, progressToken }, token));
    } finally {
      listening?.dispose();
    }
  }

  end(): void {
    this.child.stdin.end();
    const killing = setTimeout(() => this.child.kill('SIGKILL'), GRACE_MS);
    killing.unref();
    void this.ended.then(() => clearTimeout(killing));
  }

  private async send(name: string, params: object, token: CancellationToken): Promise<unknown> {
    try {
      return await this.connection.sendRequest(name, params, token);
    } catch (error) {
      throw this.errorOf(error);
    }
  }

  private errorOf(error: unknown): Error {
    const record = engineErrorSchema.safeParse(error instanceof ResponseError ? error.data : null);
    if (!record.success)
      return new EngineFailure(
        this.isOver ? `The engine ended before it answered.\n${lastWords(this.words)}` : (error as Error).message,
      );
    return record.data.code === 'cancelled' ? new vscode.CancellationError() : engineErrorOf(record.data);
  }
}

function spawnEngine({ command, args, env }: EngineProgram, name: string): ChildProcessWithoutNullStreams {
  return trusted.spawnOnPipes(command, [...args, name], { env });
}
