// A run, read from its folder. Created by the run service for every run folder; `refresh` reads new events, and
// commands are sent by appending a line. Keeps the steps only of runs that are alive or shown.
import { appendFileSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { describeError } from '../../core/codedError.js';
import { runFailure } from '../../core/runs/runFailure.js';
import { initialRunState, reduceRun, type RunState } from '../../core/runs/runState.js';
import { runPhase, type RunPhase } from '../../core/runs/runStatus.js';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import type { RunFailure } from '../../protocol/dashboardMessages.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import type { Run } from '../services.js';
import {
  fileSize,
  lastCheckpointStep,
  livingProcess,
  readEventChunk,
  readEventEnds,
  readJson,
  readLastLines,
  runFolderFiles,
} from './runFolderFiles.js';

/** Lines of the engine's log that explain a failure. */
const LOG_LINES = 20;

export class FolderRun implements Run {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  /** Creation time of the folder, in milliseconds since 1970. */
  readonly createdMs: number;
  private readonly files: ReturnType<typeof runFolderFiles>;
  private written: object | null = null;
  private pid: number | null;
  private offset = 0;
  private full: RunState | null = null;
  private ends: { size: number; state: RunState } | null = null;

  constructor(readonly folder: string) {
    this.files = runFolderFiles(folder);
    this.createdMs = statSync(folder, { throwIfNoEntry: false })?.birthtimeMs ?? 0;
    this.pid = livingProcess(this.files.process);
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
    return this.pid !== null;
  }

  get phase(): RunPhase {
    return runPhase(this.glance(), this.alive);
  }

  get resumable(): boolean {
    return this.resumeStep() !== null;
  }

  resumeStep(): number | null {
    return this.alive || this.phase === 'completed' ? null : lastCheckpointStep(this.files.checkpoints);
  }

  /** As of the last `refresh`; reading new events here would keep them from the listeners. */
  state(): RunState {
    if (!this.full) this.readOn();
    return this.full!;
  }

  /** For trees and the status bar; from the first and last events only, unless `state` was called. */
  glance(): RunState {
    if (this.full) return this.full;
    if (this.alive) return this.state();
    const size = fileSize(this.files.events);
    if (this.ends?.size !== size)
      this.ends = { size, state: readEventEnds(this.files.events).reduce(reduceRun, initialRunState) };
    return this.ends.state;
  }

  failure(): RunFailure | null {
    return runFailure(this.glance(), this.phase, () => readLastLines(this.files.log, LOG_LINES));
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
    const before = { pid: this.pid, seq: this.full?.lastSeq, size: this.ends?.size };
    this.pid = livingProcess(this.files.process);
    if (this.full) this.readOn();
    const sameEvents = this.full ? before.seq === this.full.lastSeq : before.size === fileSize(this.files.events);
    if (before.pid === this.pid && sameEvents) return;
    this.written = null;
    this.changed.fire();
  }

  send(command: ControlCommand): void {
    // The engine reads commands from the first step on; before that, it only reacts to a signal.
    if (command.type === 'stop' && this.pid !== null && !this.glance().started) process.kill(this.pid, 'SIGTERM');
    else appendFileSync(this.files.commands, `${JSON.stringify(command)}\n`);
  }

  /** It ends once no window attends to it (see windowClose.ts). */
  get endsWithWindows(): boolean {
    return existsSync(this.files.attended);
  }

  /** Marks this window as open; must be repeated every few seconds. */
  attend(): void {
    writeFileSync(this.files.attended, `${JSON.stringify({ pid: process.pid })}\n`);
  }

  /** Lets it continue when its windows close. */
  outliveWindows(): void {
    rmSync(this.files.attended, { force: true });
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
    this.changed.dispose();
  }

  private readOn(): void {
    if (this.offset > fileSize(this.files.events)) {
      this.offset = 0;
      this.full = null;
    }
    this.full ??= initialRunState;
    for (let chunk; (chunk = readEventChunk(this.files.events, this.offset)); this.offset = chunk.next)
      this.full = chunk.events.reduce(reduceRun, this.full);
  }
}
