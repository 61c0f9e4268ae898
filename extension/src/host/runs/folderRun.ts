// A run, read from its folder. Created by the run service for every run folder; `refresh` reads new events, and
// commands are sent by appending a line. Keeps the steps only of runs that are alive or shown. Many events are read a chunk at
// a time, with other work of the host in between.
import type { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { describeError } from '../../core/codedError.js';
import { isRefusedForMemory, runFailure, wantsClusterLogin } from '../../core/runs/runFailure.js';
import { initialRunState, reduceRun, type RunState } from '../../core/runs/runState.js';
import { runPhase, type RunPhase } from '../../core/runs/runStatus.js';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import type { RunFailure } from '../../protocol/dashboardMessages.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { holderOf } from '../../system/fileClaim.js';
import type { Run } from '../services.js';
import { trusted } from '../trustedActions.js';
import {
  fileSize,
  hasOpenJob,
  lastCheckpointStep,
  readEventChunk,
  readEventEnds,
  readJson,
  readLastLines,
  runFolderFiles,
} from './runFolderFiles.js';
import { linkStatOf, statOf } from '../../system/fileStat.js';

/** Lines of the engine's log that explain a failure. */
const LOG_LINES = 20;

export class FolderRun implements Run {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  /** Creation time of the folder, in milliseconds since 1970. */
  readonly createdMs: number;
  private readonly files: ReturnType<typeof runFolderFiles>;
  private written: object | null = null;
  private held: boolean;
  private offset = 0;
  private full: RunState | null = null;
  /** Settles once `full` has every event; null if it has. */
  private reading: Promise<void> | null = null;
  private isDisposed = false;
  private ends: { size: number; state: RunState } | null = null;

  /** @param child its process, if this window has started it; it takes a moment to claim the folder */
  constructor(
    readonly folder: string,
    private child: ChildProcess | null = null,
  ) {
    this.files = runFolderFiles(folder);
    this.createdMs = statOf(folder)?.birthtimeMs ?? 0;
    this.held = this.isHeld();
  }

  /** This window has resumed it. */
  startedBy(child: ChildProcess): void {
    this.child = child;
    this.refresh();
  }

  get name(): string {
    const { name } = this.config as { name?: unknown };
    return typeof name === 'string' ? name : basename(this.folder);
  }

  get config(): object {
    return (this.written ??= readJson(this.files.run) as object | null) ?? {};
  }

  get logFile(): string {
    return this.files.log;
  }

  get startedMs(): number {
    const { firstTime } = this.glance();
    return firstTime === null ? this.createdMs : Date.parse(firstTime);
  }

  get alive(): boolean {
    return this.held;
  }

  get phase(): RunPhase {
    return runPhase(this.glance(), this.alive, this.detached);
  }

  get resumable(): boolean {
    return this.resumeStep() !== null || this.detached;
  }

  get detached(): boolean {
    if (this.alive) return false;
    const { status } = this.glance();
    return status !== 'completed' && status !== 'stopped' && hasOpenJob(this.folder);
  }

  resumeStep(): number | null {
    return this.alive || this.phase === 'completed' ? null : lastCheckpointStep(this.files.checkpoints);
  }

  /** As of the last `refresh`; reading new events here would keep them from the listeners. Of many events, the first: the rest follows. */
  state(): RunState {
    if (!this.full) this.readOn();
    return this.full!;
  }

  async read(): Promise<RunState> {
    this.state();
    await this.reading;
    return this.full!;
  }

  /** For trees and the status bar; from the first and last events only, unless `state` was called. */
  glance(): RunState {
    const full = this.alive ? this.state() : this.full;
    if (full && !this.reading) return full;
    const size = fileSize(this.files.events);
    if (this.ends?.size !== size)
      this.ends = { size, state: readEventEnds(this.files.events).reduce(reduceRun, initialRunState) };
    return this.ends.state;
  }

  /** Reads what lists of runs show, which is then at hand. */
  readFacts(): void {
    this.glance();
    void this.config;
  }

  failure(): RunFailure | null {
    return runFailure(this.glance(), this.phase, () => readLastLines(this.files.log, LOG_LINES));
  }

  get refusedForMemory(): boolean {
    return !this.alive && isRefusedForMemory(this.glance());
  }

  get wantsLogin(): boolean {
    return !this.alive && wantsClusterLogin(this.glance());
  }

  /** The failure as text: from its `failed` event, else from the end of the engine's log. */
  failureText(): string | null {
    const failure = this.failure();
    if (!failure) return null;
    const { failed } = this.glance();
    return failed ? describeError(failed) : [failure.message, ...failure.log.slice(-3)].join('\n');
  }

  /** Reads the folder again, and notifies listeners if something has changed. */
  refresh(): void {
    const before = { held: this.held, seq: this.full?.lastSeq, size: this.ends?.size };
    this.held = this.isHeld();
    if (this.full) this.readOn();
    const sameEvents = this.full ? before.seq === this.full.lastSeq : before.size === fileSize(this.files.events);
    if (before.held === this.held && sameEvents) return;
    this.written = null;
    this.changed.fire();
  }

  /** @throws UntrustedWorkspaceError */
  send(command: ControlCommand): void {
    // The engine reads commands from the first step on, or once the run waits on a cluster; before that, it only reacts to a signal.
    const { started, queued } = this.glance();
    if (command.type === 'stop' && this.held && !started && !queued) this.signal('SIGTERM');
    else trusted.appendLine(this.files.commands, JSON.stringify(command));
  }

  /**
   * Signals its process, and no other: only one that this window has started, or that proves to be the engine of this folder.
   * @returns false if there is none
   * @throws UntrustedWorkspaceError
   */
  signal(signal: NodeJS.Signals): boolean {
    if (this.child && isRunning(this.child)) return trusted.signalChild(this.child, signal);
    return trusted.signalHolder(this.files.process, signal);
  }

  /** It ends once no window attends to it (see windowClose.ts). */
  get endsWithWindows(): boolean {
    return linkStatOf(this.files.attended)?.isFile() ?? false;
  }

  /** Marks this window as open; must be repeated every few seconds. @throws UntrustedWorkspaceError */
  attend(): void {
    trusted.writeText(this.files.attended, `${JSON.stringify({ pid: process.pid })}\n`);
  }

  /** Lets it continue when its windows close. @throws UntrustedWorkspaceError */
  outliveWindows(): void {
    trusted.removeFile(this.files.attended);
  }

  async *events(fromSeq: number): AsyncIterable<EngineEvent> {
    for (let offset = 0; ;) {
      const chunk = readEventChunk(this.files.events, offset);
      if (!chunk) return;
      offset = chunk.next;
      for (const event of chunk.events) if (event.seq >= fromSeq) yield event;
      // Yields to the rest of the host between chunks.
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  dispose(): void {
    this.isDisposed = true;
    this.changed.dispose();
  }

  private isHeld(): boolean {
    return (this.child !== null && isRunning(this.child)) || holderOf(this.files.process) !== null;
  }

  private readOn(): void {
    if (!this.reading && this.readChunk()) this.reading = this.readRest();
  }

  /** @returns whether there was one */
  private readChunk(): boolean {
    if (this.offset > fileSize(this.files.events)) {
      this.offset = 0;
      this.full = null;
    }
    const chunk = readEventChunk(this.files.events, this.offset);
    this.full = (chunk?.events ?? []).reduce(reduceRun, this.full ?? initialRunState);
    if (!chunk) return false;
    this.offset = chunk.next;
    return this.offset < fileSize(this.files.events);
  }

  private async readRest(): Promise<void> {
    do await new Promise(resolve => setImmediate(resolve));
    while (!this.isDisposed && this.readChunk());
    this.reading = null;
    this.changed.fire();
  }
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}
