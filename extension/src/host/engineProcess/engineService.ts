// The engine for the rest of the host: answers requests, and is installed before the first run. Created once by
// extension.ts. Executes nothing in Restricted Mode.
import * as vscode from 'vscode';
import type {
  EngineCapabilities,
  EstimateAnswer,
  ModelInspection,
  RunShapeAnswer,
  SuiteResults,
} from '../../protocol/answers.js';
import {
  checkSuiteRequest,
  describeRequest,
  estimateRequest,
  inspectRequest,
  runShapeRequest,
  suiteResultsRequest,
  type CheckedSuite,
} from '../../protocol/residentMessages.js';
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import { wantedBackend } from '../../core/wantedBackend.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import type { Device, EngineCallOptions, EngineService, RequestOptions } from '../services.js';
import { requireTrust } from '../trustedActions.js';
import { callEngine } from './engineProcess.js';
import { findEngineProgram, type EngineProgram } from './engineProgram.js';
import { stepDone } from '../walkthrough.js';
import { installWithProgress } from './installWithProgress.js';
import { RequestProcess } from './requestProcess.js';

/** Idle time after which the resident engine is ended. */
const IDLE_MS = 10 * 60_000;

export class CommandLineEngine implements EngineService, vscode.Disposable {
  private found: Promise<EngineProgram> | null = null;
  private described: Promise<EngineCapabilities> | null = null;
  /** Backends of which all is installed. */
  private readonly ready = new Set<EngineConfig['backend']>(['wasm']);
  private readonly installing = new Map<EngineConfig['backend'], Promise<boolean>>();
  private readonly forgotten = new vscode.EventEmitter<void>();
  /** Another program, or another installation, is used from now on. */
  readonly onDidForget = this.forgotten.event;
  private readonly resident: RequestProcess;

  constructor(
    private readonly extensionPath: string,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.resident = new RequestProcess({
      command: 'resident',
      program: () => this.program(),
      log: text => output.debug(text),
      idleMs: () => IDLE_MS,
    });
  }

  /** @throws UntrustedWorkspaceError */
  async program(): Promise<EngineProgram> {
    requireTrust();
    return (this.found ??= findEngineProgram(this.extensionPath));
  }

  /** Ends the resident engine and finds the program again, after a change of settings. */
  forget(): void {
    this.found = null;
    this.described = null;
    this.resident.end();
    this.forgotten.fire();
  }

  dispose(): void {
    this.resident.dispose();
    this.forgotten.dispose();
  }

  async json<T>(args: readonly string[], options: EngineCallOptions = {}): Promise<T> {
    const lines: string[] = [];
    await this.call([...args, '--json'], line => lines.push(line), options);
    return JSON.parse(lines.join('\n')) as T;
  }

  async jsonLines<T>(
    args: readonly string[],
    onLine: (value: T) => void,
    options: EngineCallOptions = {},
  ): Promise<void> {
    await this.call([...args, '--json'], line => onLine(JSON.parse(line) as T), options);
  }

  capabilities(): Promise<EngineCapabilities> {
    this.described ??= this.resident.request(describeRequest, {}).catch(error => {
      this.described = null;
      throw error;
    });
    return this.described;
  }

  estimate(runFile: object, path: string, options?: RequestOptions): Promise<EstimateAnswer> {
    return this.resident.request(estimateRequest, { runFile: { ...runFile }, path }, options);
  }

  runShape(runFile: object, path: string, options?: RequestOptions): Promise<RunShapeAnswer> {
    return this.resident.request(runShapeRequest, { runFile: { ...runFile }, path }, options);
  }

  inspectModel(model: string, options?: RequestOptions): Promise<ModelInspection> {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '.';
    return this.resident.request(inspectRequest, { model, folder }, options);
  }

  checkSuite(path: string, text: string): Promise<CheckedSuite> {
    return this.resident.request(checkSuiteRequest, { path, text });
  }

  suiteResults(folders: readonly string[]): Promise<SuiteResults> {
    return this.resident.request(suiteResultsRequest, { folders: [...folders] });
  }

  async ensureInstalled(device: Device): Promise<boolean> {
    const backend = wantedBackend(device);
    if (this.ready.has(backend)) return true;
    // Several may want it at once.
    const installing = this.installing.get(backend) ?? this.install(backend);
    this.installing.set(backend, installing);
    return installing.finally(() => this.installing.delete(backend));
  }

  private async install(backend: EngineConfig['backend']): Promise<boolean> {
    const installed = isInstalled(backend, await this.json<EngineStatusAnswer>(['engine', 'status']));
    if (installed) stepDone('install');
    const ready = installed || (await installWithProgress(this, this.output, backend));
    if (ready) this.ready.add(backend);
    return ready;
  }

  private async call(args: string[], onLine: (line: string) => void, options: EngineCallOptions): Promise<void> {
    const program = await this.program();
    const cwd = options.cwd ?? vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    const started = performance.now();
    this.output.debug(`tunewright ${args.join(' ')}`);
    try {
      const env = { ...program.env, ...options.env };
      await callEngine({ ...program, env }, args, cwd, onLine, options.token);
      this.output.debug(`tunewright ${args[0]} ended after ${Math.round(performance.now() - started)} ms`);
    } catch (error) {
      if (!(error instanceof vscode.CancellationError))
        this.output.error(`tunewright ${args.join(' ')}: ${(error as Error).message}`);
      throw error;
    }
  }
}

/** With `auto`, a GPU is enough where TensorFlow isn't installed. */
function isInstalled(backend: EngineConfig['backend'], status: EngineStatusAnswer): boolean {
  if (backend === 'webgpu') return status.webgpu.libraryVersion !== null;
  return status.installation !== null || (backend === 'auto' && status.backend.name === 'webgpu');
}
