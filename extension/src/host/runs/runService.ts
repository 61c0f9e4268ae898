// The runs of this workspace: finds their folders, follows those that live, starts, resumes and deletes. Built once by
// extension.ts. A run belongs to its folder, not to this window: what another window starts appears here as well.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import * as vscode from 'vscode';
import type { CommandLineEngine } from '../engine/engineService.js';
import { EngineFailure, type Run, type RunService } from '../services.js';
import { FolderRun } from './folderRun.js';
import { runFolderName, runsFolderOf, runsFolders } from './runsFolders.js';
import { livingProcess, runFiles } from './runFiles.js';
import { startTraining } from './startProcess.js';

/** Events of one run come together at most this often. */
const FOLLOW_MS = 250;

/** A process that was killed says nothing, so living ones are asked. */
const HEARTBEAT_MS = 2_000;

/** What a process gets to save and end before it is killed. */
const STOP_MS = 5_000;

const WATCHED = new Set(['run.json', 'events.ndjson', 'process.json']);

export class FolderRunService implements RunService, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly touched = new vscode.EventEmitter<FolderRun>();
  /** Any run of the list told something. */
  readonly onDidChangeRun = this.touched.event;
  private readonly failedEarly = new vscode.EventEmitter<FolderRun>();
  /** A process that this window started ended badly. */
  readonly onDidFail = this.failedEarly.event;

  private byFolder = new Map<string, FolderRun>();
  private watcher: FSWatcher | null = null;
  private readonly due = new Map<string, NodeJS.Timeout>();
  private readonly heartbeat: NodeJS.Timeout;
  private readonly subscriptions: vscode.Disposable[] = [];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly engine: CommandLineEngine,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.heartbeat = setInterval(() => this.alive().forEach(run => run.refresh()), HEARTBEAT_MS);
    this.subscriptions.push(
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.open()),
      vscode.workspace.onDidChangeConfiguration(event => {
        if (event.affectsConfiguration('tunewright.runsFolder')) this.open();
      }),
    );
    this.open();
  }

  runs(): readonly FolderRun[] {
    return [...this.byFolder.values()].sort((a, b) => startOf(b).localeCompare(startOf(a)));
  }

  alive(): readonly FolderRun[] {
    return this.runs().filter(run => run.alive);
  }

  get(folder: string): FolderRun | undefined {
    return this.byFolder.get(folder);
  }

  async start(config: object, folder?: vscode.WorkspaceFolder): Promise<Run> {
    const program = await this.engine.program();
    await this.requireEngine(config);
    const home = runsFolderOf(folder ?? vscode.workspace.workspaceFolders?.[0], this.context);
    const { name } = config as { name?: unknown };
    const path = join(
      home,
      runFolderName(typeof name === 'string' ? name : 'run', new Date(), taken => existsSync(join(home, taken))),
    );
    mkdirSync(path, { recursive: true });
    writeFileSync(runFiles(path).run, `${JSON.stringify(config, null, 2)}\n`);
    await startTraining(program, path, false, code => this.onExit(path, code));
    this.output.info(`Started ${path}`);
    return this.add(path);
  }

  async resume(run: Run): Promise<void> {
    const program = await this.engine.program();
    await this.requireEngine(run.config);
    await startTraining(program, run.folder, true, code => this.onExit(run.folder, code));
    this.output.info(`Resumed ${run.folder}`);
    this.get(run.folder)?.refresh();
  }

  async delete(run: Run): Promise<void> {
    await endProcess(run.folder);
    await rm(run.folder, { recursive: true, force: true });
    this.output.info(`Deleted ${run.folder}`);
    this.remove(run.folder);
  }

  dispose(): void {
    clearInterval(this.heartbeat);
    for (const timer of this.due.values()) clearTimeout(timer);
    void this.watcher?.close();
    this.subscriptions.forEach(subscription => subscription.dispose());
    this.byFolder.forEach(run => run.dispose());
    [this.changed, this.touched, this.failedEarly].forEach(emitter => emitter.dispose());
  }

  /** Looks for runs where they are kept now, and watches there. */
  private open(): void {
    const homes = runsFolders(this.context);
    const folders = homes.flatMap(runFoldersIn);
    for (const [folder, run] of this.byFolder) if (!folders.includes(folder)) run.dispose();
    this.byFolder = new Map(folders.map(folder => [folder, this.byFolder.get(folder) ?? this.follow(folder)]));
    void this.watcher?.close();
    this.watcher = watch(homes, {
      depth: 1,
      ignoreInitial: true,
      ignored: (path, stats) => stats?.isFile() === true && !WATCHED.has(basename(path)),
    })
      .on('all', (_event, path) => this.onFile(path))
      .on('error', error => this.output.warn(`Watching ${homes.join(', ')}: ${String(error)}`));
    this.changed.fire();
  }

  private onFile(path: string): void {
    const folder = dirname(path);
    if (!WATCHED.has(basename(path)) || this.due.has(folder)) return;
    const look = () => {
      this.due.delete(folder);
      const isRun = existsSync(runFiles(folder).run);
      if (!isRun) this.remove(folder);
      else if (this.byFolder.has(folder)) this.byFolder.get(folder)!.refresh();
      else this.add(folder);
    };
    this.due.set(folder, setTimeout(look, FOLLOW_MS));
  }

  private add(folder: string): FolderRun {
    const present = this.byFolder.get(folder);
    if (present) return present;
    const run = this.follow(folder);
    this.byFolder.set(folder, run);
    this.changed.fire();
    return run;
  }

  private remove(folder: string): void {
    this.byFolder.get(folder)?.dispose();
    if (this.byFolder.delete(folder)) this.changed.fire();
  }

  private follow(folder: string): FolderRun {
    const run = new FolderRun(folder);
    run.onDidChange(() => this.touched.fire(run));
    return run;
  }

  /** @throws vscode.CancellationError where the user doesn't want it installed */
  private async requireEngine(config: object): Promise<void> {
    const { engine } = config as { engine?: { backend?: unknown } };
    if (engine?.backend === 'wasm') return;
    if (!(await this.engine.ensureInstalled())) throw new vscode.CancellationError();
  }

  private onExit(folder: string, code: number | null): void {
    const run = this.get(folder);
    if (!run) return;
    run.refresh();
    this.output.info(`${folder} ended with code ${code}`);
    if (code !== 0 && run.phase === 'failed') this.failedEarly.fire(run);
  }
}

function startOf(run: FolderRun): string {
  return run.glance().firstTime ?? new Date().toISOString();
}

function runFoldersIn(home: string): string[] {
  try {
    return readdirSync(home, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(home, entry.name))
      .filter(folder => existsSync(runFiles(folder).run));
  } catch {
    return [];
  }
}

/** @throws EngineFailure where it won't end */
async function endProcess(folder: string): Promise<void> {
  const file = runFiles(folder).process;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const pid = livingProcess(file);
    if (pid === null) return;
    process.kill(pid, signal);
    for (let waited = 0; waited < STOP_MS; waited += 100) {
      if (livingProcess(file) === null) return;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
  throw new EngineFailure(`The process that trains in ${folder} doesn't end.`);
}
