// The services that the parts of the extension host share: the engine, the runs and the log. Created once by
// extension.ts and passed to every part; no part creates a service itself. Interfaces and error classes only.
import type * as vscode from 'vscode';
import { describeError } from '../core/codedError.js';
import type { RunState } from '../core/runs/runState.js';
import type {
  EngineCapabilities,
  EstimateAnswer,
  ModelInspection,
  RunShapeAnswer,
  SuiteResults,
} from '../protocol/answers.js';
import type { RunFailure } from '../protocol/dashboardMessages.js';
import type { ControlCommand } from '../protocol/controlCommand.js';
import type { EngineConfig } from '../protocol/engineConfig.js';
import type { EngineError } from '../protocol/engineError.js';
import type { EngineEvent } from '../protocol/engineEvent.js';
import type { CheckedSuite, Progress } from '../protocol/residentMessages.js';
import type {
  AdapterFacts,
  ChatTurn,
  GenerationAnswer,
  GenerationInput,
  JudgedAnswer,
  ScoringInput,
  TokenLogprob,
  Piece,
  SessionFacts,
  SessionSettings,
  SuiteQuestions,
} from '../protocol/sessionMessages.js';

export interface HostServices {
  readonly engine: EngineService;
  readonly runs: RunService;
  readonly sessions: SessionService;
  readonly output: vscode.LogOutputChannel;
  readonly context: vscode.ExtensionContext;
}

export interface EngineCallOptions {
  token?: vscode.CancellationToken;
  /** Base of relative paths in `args`; default: the first workspace folder. */
  cwd?: string;
  /** Variables of its environment in addition to the editor's, such as a secret that this call needs. */
  env?: Readonly<Record<string, string>>;
}

/** Which device is to compute: the keys of a run's engine block. */
export type Device = Pick<EngineConfig, 'backend' | 'adapter'>;

/** The engine, always in another process: a resident one for short requests, else its command line with `--json`. */
export interface EngineService {
  /**
   * Runs `tunewright ...args --json` to its end and returns its output.
   * @throws EngineInputError for invalid input, EngineFailure for other failures,
   *   vscode.CancellationError if `token` is cancelled, UntrustedWorkspaceError in Restricted Mode
   */
  json<T>(args: readonly string[], options?: EngineCallOptions): Promise<T>;
  /** The same for commands that report progress: calls `onLine` with each line of JSON as it arrives. */
  jsonLines<T>(args: readonly string[], onLine: (value: T) => void, options?: EngineCallOptions): Promise<void>;
  /** The answer of `describe`, requested once: methods with their options, families, formats. */
  capabilities(): Promise<EngineCapabilities>;
  /**
   * The memory and time that a run would take; the model must be on this machine.
   * @param path of the run file, existing or not: base of its relative paths, and named in errors
   * @throws as `json`
   */
  estimate(runFile: object, path: string, options?: RequestOptions): Promise<EstimateAnswer>;
  /** Usable length and batch size of a run; the model must be on this machine. @throws as `json` */
  runShape(runFile: object, path: string, options?: RequestOptions): Promise<RunShapeAnswer>;
  /** Describes a model on this machine; a relative path starts from the first workspace folder. @throws as `json` */
  inspectModel(model: string, options?: RequestOptions): Promise<ModelInspection>;
  /** The rows of an evaluation suite with this text, and the faults of others. @throws as `json` */
  checkSuite(path: string, text: string): Promise<CheckedSuite>;
  /** What these runs and their bases have answered to suites, compared. @throws as `json` */
  suiteResults(folders: readonly string[]): Promise<SuiteResults>;
  /**
   * Installs what a device needs with a progress notification, if it isn't there: TensorFlow or WebGPU.
   * False: the user cancelled, or it can't be installed.
   */
  ensureInstalled(device: Device): Promise<boolean>;
}

/** Options of a request to a process of the engine; `V`: what the request reports before its answer. */
export interface RequestOptions<V = Progress> {
  token?: vscode.CancellationToken | undefined;
  onProgress?: ((progress: V) => void) | undefined;
}

/** The user's input is invalid; `record` says what and where as data, `message` in words. */
export class EngineInputError extends Error {
  override readonly name = 'EngineInputError';

  constructor(readonly record: EngineError) {
    super(describeError(record));
  }
}

/** The engine failed for a reason that other input would not have avoided. */
export class EngineFailure extends Error {
  override readonly name = 'EngineFailure';
}

/** Thrown instead of executing anything in an untrusted workspace. */
export class UntrustedWorkspaceError extends Error {
  override readonly name = 'UntrustedWorkspaceError';
}

export interface RunService {
  /** All runs in the runs folders of this workspace, latest first. */
  runs(): readonly Run[];
  /** The list changed; for changes of a run see `Run.onDidChange`. */
  readonly onDidChange: vscode.Event<void>;
  get(folder: string): Run | undefined;
  /** The same, and a run of another folder, such as one of a race: from now on `get` knows it, but it isn't listed. */
  openFolder(folder: string): Run | undefined;
  /** This window has started or resumed a run. */
  readonly onDidStart: vscode.Event<void>;
  /** The process of a listed run has ended, including those that other windows started. */
  readonly onDidEnd: vscode.Event<Run>;
  /**
   * Starts a run in a new folder of `folder`'s runs folder, as a process that outlives this window.
   * @param config run file JSON with absolute paths
   * @throws EngineInputError, UntrustedWorkspaceError, vscode.CancellationError if the user doesn't install the engine
   */
  start(config: object, folder?: vscode.WorkspaceFolder): Promise<Run>;
  /**
   * Resumes from the last checkpoint; of a run whose job on a cluster goes on, follows that.
   * @param on where it goes on: `here`, an address or the name of a cluster; by default where it was
   */
  resume(run: Run, on?: string): Promise<void>;
  /** Starts or resumes a run that was refused because its estimate exceeds the free memory. */
  startAnyway(run: Run): Promise<void>;
  /** Deletes the run folder without confirmation; stops its process first. */
  delete(run: Run): Promise<void>;
}

/** A run. Everything is read from its folder, so that all windows see the same. */
export interface Run {
  /** Absolute path. */
  readonly folder: string;
  readonly name: string;
  /** Content of run.json; paths are absolute. */
  readonly config: object;
  /** When it was first started, in milliseconds since 1970. */
  readonly startedMs: number;
  /** A process is training in the folder. */
  readonly alive: boolean;
  /** No process follows its job on a cluster, which goes on, or may. */
  readonly detached: boolean;
  readonly onDidChange: vscode.Event<void>;
  /** Step of the last checkpoint of a run that ended before it completed; null if there is none to resume from. */
  resumeStep(): number | null;
  /** Why it failed or was interrupted; null for other runs. */
  failure(): RunFailure | null;
  /** All steps. Of a long run, what was read so far; `onDidChange` says when the rest was. */
  state(): RunState;
  /** The same, once the rest was read. */
  read(): Promise<RunState>;
  /**
   * The state without reading all events: as long as `state` wasn't called and has read them all, from the first and last ones, without
   * most steps.
   */
  glance(): RunState;
  send(command: ControlCommand): void;
  /** The events in the folder from `fromSeq` on. */
  events(fromSeq: number): AsyncIterable<EngineEvent>;
}

/** Base models in memory, each in its own process, shared by everything that asks them. */
export interface SessionService {
  /**
   * A session with this base: in the process that holds it, else in a new one.
   * Installs the engine with a progress notification if necessary.
   * @throws EngineInputError if the model can't be used or doesn't fit into memory, or the user doesn't install the engine, EngineFailure,
   *   vscode.CancellationError, UntrustedWorkspaceError
   */
  open(settings: SessionSettings, options?: RequestOptions): Promise<ModelSession>;
  /** The bases in memory now. */
  readonly loaded: readonly LoadedModel[];
  /** A base was loaded, or its process has ended. */
  readonly onDidChange: vscode.Event<void>;
  /** A sentence for users while runs train on the same cores and memory; null if none does. */
  sharingNote(): string | null;
}

/**
 * One holder's use of a base. Its process ends after `tunewright.sessionIdleMinutes` without a request; the next request starts
 * another, with the same adapters. Requests throw as `SessionService.open`.
 */
export interface ModelSession extends vscode.Disposable {
  readonly facts: SessionFacts;
  /**
   * Attaches an adapter under a name of this holder, instead of one of that name. Read once for all holders, and again after its
   * files have changed.
   */
  load(name: string, path: string): Promise<AdapterFacts>;
  unload(name: string): Promise<void>;
  generate(input: GenerationInput, options?: GenerateOptions): Promise<GenerationAnswer>;
  /** How likely an answer is, token by token. */
  score(input: ScoringInput, options?: Pick<GenerateOptions, 'token'>): Promise<TokenLogprob[]>;
  /** Asks the base or an adapter the rows of a suite, each reported as it is judged. Returns warnings. */
  answerSuite(questions: SuiteQuestions, options?: RequestOptions<JudgedAnswer>): Promise<string[]>;
  countTokens(input: { messages?: ChatTurn[]; text?: string }): Promise<number>;
  /** Doesn't count as a request. @throws EngineFailure while its process isn't running */
  memory(): Promise<SessionMemory>;
  /** Its process has ended, with its key/value cache. */
  readonly onDidEnd: vscode.Event<void>;
}

export type LoadedModel = Pick<ModelSession, 'facts' | 'memory'> & {
  /** Ends its process. */
  end(): void;
};

export interface GenerateOptions {
  token?: vscode.CancellationToken | undefined;
  onPiece?: ((piece: Piece) => void) | undefined;
}

export interface SessionMemory {
  rss_bytes: number;
  cache_bytes: number;
  available_bytes: number;
}
