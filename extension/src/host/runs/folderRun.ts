// A run as its folder tells it. Built by the run service for every run folder that it finds; reads on when told to, sends
// commands by appending a line. Holds the steps only of runs that live or that someone looks at.
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { describeError } from '../../core/codedError.js';
import { initialRunState, reduceRun, type RunState } from '../../core/runs/runState.js';
import { runPhase, type RunPhase } from '../../core/runs/runStatus.js';
import type { ControlCommand } from '../../protocol/controlCommand.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { lastWords } from '../engineProcess/engineErrors.js';
import type { Run } from '../services.js';
import { fileSize, livingProcess, readEventChunk, readEventEnds, readJson, runFolderFiles } from './runFolderFiles.js';

export class FolderRun implements Run {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  /** Of the folder; milliseconds since 1970. */
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

  get alive(): boolean {
    return this.pid !== null;
  }

  get phase(): RunPhase {
    return runPhase(this.glance(), this.alive);
  }

  /** It ended before its time, with something to go on from. */
  get resumable(): boolean {
    return !this.alive && this.glance().started !== null && this.phase !== 'completed';
  }

  /** As of the last `refresh`, which tells what it reads: whoever read on here would keep it from the others. */
  state(): RunState {
    if (!this.full) this.readOn();
    return this.full!;
  }

  /** What trees and status bar show: of a run that nobody looked at, only its first and last events. */
  glance(): RunState {
    if (this.full) return this.full;
    if (this.alive) return this.state();
    const size = fileSize(this.files.events);
    if (this.ends?.size !== size)
      this.ends = { size, state: readEventEnds(this.files.events).reduce(reduceRun, initialRunState) };
    return this.ends.state;
  }

  /** Why it failed: by its event, else by what the engine said last before it was killed; null where it didn't fail. */
  failure(): string | null {
    const { failed } = this.glance();
    if (failed) return describeError(failed);
    return this.phase === 'failed' ? this.lastWords() : null;
  }

  /** What the engine's log ends with. */
  lastWords(): string {
    try {
      return lastWords(readFileSync(this.files.log, 'utf8'));
    } catch {
      return lastWords('');
    }
  }

  /** Looks at the folder again and tells listeners where something changed. */
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
    // Commands are heard from the first step on; until then only a signal is.
    if (command.type === 'stop' && this.pid !== null && !this.glance().started) process.kill(this.pid, 'SIGTERM');
    else appendFileSync(this.files.commands, `${JSON.stringify(command)}\n`);
  }

  /** It ends once no window attends to it any more. */
  get endsWithWindows(): boolean {
    return existsSync(this.files.attended);
  }

  /** This window is there for it, which has to be said again every few seconds. */
  attend(): void {
    writeFileSync(this.files.attended, `${JSON.stringify({ pid: process.pid })}\n`);
  }

  /** It goes on whatever becomes of its windows. */
  outliveWindows(): void {
    rmSync(this.files.attended, { force: true });
  }

  async *events(fromSeq: number): AsyncIterable<EngineEvent> {
    for (let offset = 0; ;) {
      const chunk = readEventChunk(this.files.events, offset);
      if (!chunk) return;
      offset = chunk.next;
      for (const event of chunk.events) if (event.seq >= fromSeq) yield event;
      // Lets the host do something else between two chunks.
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
