// One `tunewright serve` as a child process of this window: reads the line with its address, passes on what it logs, and stops it.
// Started by servers.ts only.
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import * as vscode from 'vscode';
import type { EngineError } from '../../protocol/engineError.js';
import { listeningSchema, type Listening } from '../../protocol/listening.js';
import { engineErrorOf, errorLineOf, lastWords } from '../engineProcess/engineErrors.js';
import type { EngineProgram } from '../engineProcess/engineProgram.js';
import { EngineFailure } from '../services.js';
import { trusted } from '../trustedActions.js';

/** Time for a server to end its answers before it is killed. */
const GRACE_MS = 5_000;

/** A base model with the adapters that one server offers. */
export interface Served {
  /** Folder, file or id of the base. */
  model: string;
  /** Options of the base's weights and device, such as `--base-weights int4`. */
  baseFlags: readonly string[];
  /** None: the base alone. */
  adapters: readonly { name: string; path: string }[];
}

export interface ServerOptions {
  program: EngineProgram;
  /** 0: any free one. */
  port: number;
  /** Receives the lines of standard error. */
  log(line: string): void;
  token?: vscode.CancellationToken;
}

type ReadProcess = ChildProcess & { stdout: Readable; stderr: Readable };

export class Server {
  /** True: it ended by itself, not by `stop`. */
  readonly ended: Promise<boolean>;
  private isStopping = false;

  /**
   * Resolves once it listens.
   * @throws EngineInputError, EngineFailure if it ends before, vscode.CancellationError, UntrustedWorkspaceError
   */
  static start(served: Served, { program, port, log, token }: ServerOptions): Promise<Server> {
    const { command, args: programArgs, env } = program;
    const args = [...programArgs, ...serveArguments(served, port)];
    return new Promise((resolve, reject) => {
      if (token?.isCancellationRequested) return reject(new vscode.CancellationError());
      const child: ReadProcess = trusted.spawnReading(command, args, { env });
      const cancelling = token?.onCancellationRequested(() => end(child));
      let words = '';
      let record: EngineError | null = null;
      let server: Server | null = null;
      createInterface({ input: child.stderr, crlfDelay: Infinity }).on('line', line => {
        words = `${words}${line}\n`.slice(-16_384);
        log(line);
      });
      createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', line => {
        record ??= errorLineOf(line);
        const listening = server === null ? listeningOf(line) : null;
        if (!listening) return log(line);
        cancelling?.dispose();
        server = new Server(served, listening, child);
        resolve(server);
      });
      child.on('error', error => reject(new EngineFailure(`${command} could not be started: ${error.message}`)));
      child.on('close', () => {
        cancelling?.dispose();
        if (token?.isCancellationRequested) return reject(new vscode.CancellationError());
        reject(record ? engineErrorOf(record) : new EngineFailure(lastWords(words)));
      });
    });
  }

  private constructor(
    readonly served: Served,
    private readonly listening: Listening,
    private readonly child: ReadProcess,
  ) {
    this.ended = new Promise(resolve => child.once('close', () => resolve(!this.isStopping)));
  }

  get url(): string {
    return this.listening.url;
  }

  /** Host and port. */
  get address(): string {
    return new URL(this.url).host;
  }

  /** What requests name as their model: the adapters, or the base if there are none. */
  get names(): readonly string[] {
    const { adapters } = this.served;
    return adapters.length > 0 ? adapters.map(({ name }) => name) : this.listening.models.slice(0, 1);
  }

  /** It ends the answers that it has begun. */
  stop(): void {
    this.isStopping = true;
    end(this.child);
  }
}

function serveArguments({ model, baseFlags, adapters }: Served, port: number): string[] {
  const named = adapters.flatMap(({ name, path }) => ['--adapter', `${name}=${path}`]);
  return ['serve', '--json', '--model', model, ...baseFlags, ...named, '--port', String(port)];
}

function listeningOf(line: string): Listening | null {
  try {
    return listeningSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function end(child: ChildProcess): void {
  child.kill('SIGTERM');
  const killing = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  killing.unref();
  child.once('close', () => clearTimeout(killing));
}
