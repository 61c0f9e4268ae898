// Owns the resident engine (`tunewright resident`): starts it with the first request and again after a crash, and ends
// it when it has been idle for long, when settings change and when the window closes. Its requests are in
// protocol/residentMessages.ts. Used by the engine service only.
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
import { progressSchema } from '../../protocol/residentMessages.js';
import { EngineFailure, type RequestOptions } from '../services.js';
import { trusted } from '../trustedActions.js';
import { engineErrorOf, lastWords } from './engineErrors.js';
import type { EngineProgram } from './engineProgram.js';

/** Idle time after which it is ended, to free its memory. */
const IDLE_MS = 10 * 60_000;

/** Time for the engine to end after its input has ended, before it is killed. */
const GRACE_MS = 5_000;

export interface ResidentOptions {
  /** @throws UntrustedWorkspaceError in Restricted Mode */
  program(): Promise<EngineProgram>;
  /** Receives the standard error of the process, and its start and end. */
  log(text: string): void;
  idleMs?: number;
  /** For tests. */
  start?(program: EngineProgram): ChildProcessWithoutNullStreams;
}

const progressType = new ProgressType<unknown>();

export class ResidentEngine implements vscode.Disposable {
  private process: Promise<ResidentProcess> | null = null;
  private open = 0;
  private idle: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: ResidentOptions) {}

  /**
   * @throws EngineInputError for invalid input, vscode.CancellationError if `token` is cancelled, EngineFailure if the
   *   engine fails or ends before it answers, UntrustedWorkspaceError
   */
  async request<P extends object, R>(type: RequestType<P, R>, params: P, options: RequestOptions = {}): Promise<R> {
    this.open++;
    clearTimeout(this.idle);
    try {
      const running = await (this.process ?? this.start());
      const { token, onProgress } = options;
      const take = onProgress && ((value: unknown) => onProgress(progressSchema.parse(value)));
      return type.result.parse(await running.send(type.name, params, token, take));
    } finally {
      if (--this.open === 0) this.idle = setTimeout(() => this.end(), this.options.idleMs ?? IDLE_MS);
    }
  }

  /** Ends the process; the next request starts another. Open requests fail. */
  end(): void {
    clearTimeout(this.idle);
    const ending = this.process;
    this.process = null;
    void ending?.then(
      running => running.end(),
      () => {},
    );
  }

  dispose(): void {
    this.end();
  }

  private start(): Promise<ResidentProcess> {
    const starting = this.options.program().then(program => ResidentProcess.start(program, this.options));
    this.process = starting;
    const forget = () => {
      if (this.process === starting) this.process = null;
    };
    starting.then(running => running.ended.then(forget), forget);
    return starting;
  }
}

/** One process, from its start to its end. */
export class ResidentProcess {
  readonly ended: Promise<void>;
  private readonly connection: MessageConnection;
  private words = '';
  private isOver = false;
  private lastToken = 0;

  /** @param command of the program that serves the requests */
  static async start(
    program: EngineProgram,
    options: Pick<ResidentOptions, 'log' | 'start'>,
    command = 'resident',
  ): Promise<ResidentProcess> {
    const child = options.start ? options.start(program) : spawnServer(program, command);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', error =>
        reject(new EngineFailure(`The engine could not be started with ${program.command}: ${error.message}`)),
      );
    });
    return new ResidentProcess(child, options.log);
  }

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    log: (text: string) => void,
  ) {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.words = (this.words + text).slice(-16_384);
      log(text.trimEnd());
    });
    const fault = (text: string) => log(`Resident engine: ${text}`);
    this.connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
      { error: fault, warn: fault, info: () => {}, log: () => {} },
    );
    this.ended = new Promise(resolve =>
      child.once('close', (code, signal) => {
        log(`Resident engine ${child.pid} ended (${signal ?? code})`);
        this.isOver = true;
        // Rejects the open requests.
        this.connection.dispose();
        resolve();
      }),
    );
    // Writing to a process that has just ended; `close` reports its end.
    this.connection.onError(() => {});
    this.connection.listen();
    log(`Resident engine ${child.pid} started`);
  }

  async send(
    name: string,
    params: object,
    token: CancellationToken = CancellationToken.None,
    onProgress?: (value: unknown) => void,
  ): Promise<unknown> {
    const progressToken = onProgress && ++this.lastToken;
    const listening = onProgress && this.connection.onProgress(progressType, progressToken!, onProgress);
    try {
      return await this.connection.sendRequest(name, { ...params, progressToken }, token);
    } catch (error) {
      throw this.errorOf(error);
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

  private errorOf(error: unknown): Error {
    const record = engineErrorSchema.safeParse(error instanceof ResponseError ? error.data : null);
    if (!record.success)
      return new EngineFailure(
        this.isOver ? `The engine ended before it answered.\n${lastWords(this.words)}` : (error as Error).message,
      );
    return record.data.code === 'cancelled' ? new vscode.CancellationError() : engineErrorOf(record.data);
  }
}

function spawnServer({ command, args, env }: EngineProgram, served: string): ChildProcessWithoutNullStreams {
  return trusted.spawnOnPipes(command, [...args, served], { env });
}
