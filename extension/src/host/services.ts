// What the parts of the extension host share: the engine's command line, the runs and the log. extension.ts builds it
// once and hands it to every part; a part never builds a service itself. Interfaces only.
import type * as vscode from 'vscode';
import { describeError } from '../core/codedError.js';
import type { RunState } from '../core/runs/runState.js';
import type { EngineCapabilities, EstimateAnswer, ModelInspection, RunShapeAnswer } from '../protocol/answers.js';
import type { ControlCommand } from '../protocol/controlCommand.js';
import type { EngineError } from '../protocol/engineError.js';
import type { EngineEvent } from '../protocol/engineEvent.js';
import type { Progress } from '../protocol/residentMessages.js';

export interface HostServices {
  readonly engine: EngineService;
  readonly runs: RunService;
  readonly output: vscode.LogOutputChannel;
  readonly context: vscode.ExtensionContext;
}

export interface EngineCallOptions {
  token?: vscode.CancellationToken;
  /** Where relative paths in `args` begin; default: the first workspace folder. */
  cwd?: string;
}

/** The engine is another process, always: one that stays for short questions, else its command line with `--json`. */
export interface EngineService {
  /**
   * Runs `tunewright ...args --json` to its end and returns what it printed.
   * @throws EngineInputError where the input is wrong, EngineFailure otherwise,
   *   vscode.CancellationError where `token` fired, UntrustedWorkspaceError in Restricted Mode
   */
  json<T>(args: readonly string[], options?: EngineCallOptions): Promise<T>;
  /** The same for commands that tell their progress: every line of JSON as it comes. */
  jsonLines<T>(args: readonly string[], onLine: (value: T) => void, options?: EngineCallOptions): Promise<void>;
  /** As `describe --json`, asked once: methods with their options, families, formats. */
  capabilities(): Promise<EngineCapabilities>;
  /**
   * What a run would take, of a model that is on this machine.
   * @param path where the run file is or would be: its relative paths begin there, and errors name it
   * @throws as `json`
   */
  estimate(runFile: object, path: string, options?: RequestOptions): Promise<EstimateAnswer>;
  /** What all batches of a run follow from, of a model that is on this machine. @throws as `json` */
  runShape(runFile: object, path: string, options?: RequestOptions): Promise<RunShapeAnswer>;
  /** A model on this machine; a relative path begins in the first workspace folder. @throws as `json` */
  inspectModel(model: string, options?: RequestOptions): Promise<ModelInspection>;
  /** True when the engine can train; installs it under a progress notification first. False: the user cancelled. */
  ensureInstalled(): Promise<boolean>;
}

/** Of a request to the resident engine. */
export interface RequestOptions {
  token?: vscode.CancellationToken | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** The user's input is wrong; `record` says what and where as data, `message` the same in words. */
export class EngineInputError extends Error {
  override readonly name = 'EngineInputError';

  constructor(readonly record: EngineError) {
    super(describeError(record));
  }
}

/** The engine failed, and no other input would have helped. */
export class EngineFailure extends Error {
  override readonly name = 'EngineFailure';
}

/** Nothing is executed in a workspace that the user doesn't trust. */
export class UntrustedWorkspaceError extends Error {
  override readonly name = 'UntrustedWorkspaceError';
}

export interface RunService {
  /** Every run of the runs folders of this workspace, youngest first. */
  runs(): readonly Run[];
  /** The list changed, not what a run tells: that is `Run.onDidChange`. */
  readonly onDidChange: vscode.Event<void>;
  get(folder: string): Run | undefined;
  /** The process of a run of the list has ended, whoever started it. */
  readonly onDidEnd: vscode.Event<Run>;
  /**
   * Starts a run in a new folder of `folder`'s runs folder, as a process that outlives this window.
   * @param config run file JSON; paths absolute
   * @throws EngineInputError, UntrustedWorkspaceError, vscode.CancellationError where the user doesn't install the engine
   */
  start(config: object, folder?: vscode.WorkspaceFolder): Promise<Run>;
  /** Goes on from the last checkpoint. */
  resume(run: Run): Promise<void>;
  /** Deletes the run folder, without asking; a living process is stopped first. */
  delete(run: Run): Promise<void>;
}

/** A run is its folder: all of this is read from there, so another window sees the same. */
export interface Run {
  /** Absolute path. */
  readonly folder: string;
  readonly name: string;
  /** run.json, as written (paths absolute). */
  readonly config: object;
  /** A process trains in the folder. */
  readonly alive: boolean;
  readonly onDidChange: vscode.Event<void>;
  state(): RunState;
  /** The same from its first and last events alone where nobody asked for all of them: steps are missing. */
  glance(): RunState;
  send(command: ControlCommand): void;
  /** Events as they stand in the folder, from `fromSeq` on, then ends. */
  events(fromSeq: number): AsyncIterable<EngineEvent>;
}
