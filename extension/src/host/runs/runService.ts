// The runs of this workspace: finds their folders, follows running ones, starts, resumes and deletes runs. Created once
// by extension.ts. A run belongs to its folder, not to a window: runs started by other windows appear here as well.
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';
import { endedBySignal } from '../../core/runs/endedBySignal.js';
import { oomKills, oomKillsSince } from '../../system/oomKills.js';
import type { EngineProgram } from '../engineProcess/engineProgram.js';
import type { CommandLineEngine } from '../engineProcess/engineService.js';
import { isOnCluster, type Clusters, type Sending } from '../clusters/clusters.js';
import { pullableModel } from '../engineProcess/engineAnswers.js';
import { EngineFailure, type Run, type RunService } from '../services.js';
import { trusted } from '../trustedActions.js';
import { FolderRun } from './folderRun.js';
import { runFolderName, runsFolderOf, runsFolders } from './runsFolders.js';
import { runFolderFiles } from './runFolderFiles.js';
import { deviceOf } from './runSettings.js';
import { startInFolder } from './startProcess.js';

/** How often running runs are refreshed. Polling is needed anyway, to notice a process that was killed. */
const FOLLOW_MS = 400;

/** Changes in the runs folders within this time are handled together. */
const GATHER_MS = 100;

/** Run folders that are read before other work of the host gets its turn; each takes about a millisecond. */
const RUNS_PER_TURN = 10;

/** Time for a process to save and end before it is killed. */
const STOP_MS = 5_000;

/** Run folders, and the files that show that a folder holds a run or that its process is running. */
const WATCHED = '{*,*/run.json,*/process.json}';

export class FolderRunService implements RunService, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly touched = new vscode.EventEmitter<FolderRun>();
  /** A listed run has changed. */
  readonly onDidChangeRun = this.touched.event;
  private readonly failing = new vscode.EventEmitter<FolderRun>();
  /** A process that this window started has failed. */
  readonly onDidFail = this.failing.event;

  private readonly started = new vscode.EventEmitter<void>();
  readonly onDidStart = this.started.event;

  private readonly ended = new vscode.EventEmitter<FolderRun>();
  readonly onDidEnd = this.ended.event;

  private readonly byFolder = new Map<string, FolderRun>();
  /** Runs that were opened and are in no runs folder, such as those of a race. Nothing watches their folders. */
  private readonly unlisted = new Map<string, FolderRun>();
  /** Folders that were found, but not yet read. */
  private found: string[] = [];
  private listing: NodeJS.Immediate | null = null;
  private watchers: vscode.FileSystemWatcher[] = [];
  private readonly ownFolders = new Set<string>();
  private readonly touchedFolders = new Set<string>();
  private gathering: NodeJS.Timeout | null = null;
  private readonly heartbeat: NodeJS.Timeout;
  private readonly subscriptions: vscode.Disposable[] = [];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly engine: CommandLineEngine,
    private readonly output: vscode.LogOutputChannel,
    private readonly clusters: Clusters,
  ) {
    this.heartbeat = setInterval(
      () => [...this.alive(), ...this.unlisted.values()].forEach(run => run.refresh()),
      FOLLOW_MS,
    );
    this.subscriptions.push(
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.open()),
      // Settings that were restricted apply from now on.
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.open()),
      vscode.workspace.onDidChangeConfiguration(event => {
        if (event.affectsConfiguration('tunewright.runsFolder')) this.open();
      }),
    );
    this.open();
  }

  runs(): readonly FolderRun[] {
    return [...this.byFolder.values()].sort((a, b) => b.createdMs - a.createdMs);
  }

  alive(): readonly FolderRun[] {
    return this.runs().filter(run => run.alive);
  }

  get(folder: string): FolderRun | undefined {
    return this.byFolder.get(folder) ?? this.unlisted.get(folder);
  }

  openFolder(folder: string): FolderRun | undefined {
    const known = this.get(folder);
    if (known || !existsSync(runFolderFiles(folder).run)) return known;
    const run = this.follow(folder);
    this.unlisted.set(folder, run);
    return run;
  }

  async start(config: object, folder?: vscode.WorkspaceFolder): Promise<Run> {
    const program = await this.engine.program();
    const sending = await this.clusters.sending(config);
    await this.requireEngine(config);
    await this.requireModel(config);
    const home = runsFolderOf(folder ?? vscode.workspace.workspaceFolders?.[0], this.context);
    const { name } = config as { name?: unknown };
    const path = join(
      home,
      runFolderName(typeof name === 'string' ? name : 'run', new Date(), taken => existsSync(join(home, taken))),
    );
    trusted.makeFolder(path);
    trusted.writeText(runFolderFiles(path).run, `${JSON.stringify(config, null, 2)}\n`);
    const run = await this.train(program, path, [], sending);
    this.output.info(`Started ${path}`);
    this.started.fire();
    return run;
  }

  async resume(run: Run, on?: string): Promise<void> {
    const { clusters } = this;
    await this.goOn(
      run,
      ['--resume'],
      run.detached && on === undefined ? 'follow' : await clusters.sending(run.config, on),
    );
  }

  /** Goes on following the job of a detached run, without a question. */
  followJob(run: Run): Promise<void> {
    return this.goOn(run, ['--resume'], 'follow');
  }

  async startAnyway(run: Run): Promise<void> {
    // From its last checkpoint, or from the beginning if it has none.
    await this.goOn(run, ['--resume', '--force'], await this.clusters.sending(run.config));
  }

  async delete(run: Run): Promise<void> {
    const known = this.get(run.folder);
    if (known) await endProcess(known);
    await trusted.removeFolder(run.folder);
    this.unlisted.get(run.folder)?.dispose();
    if (this.unlisted.delete(run.folder)) this.changed.fire();
    this.output.info(`Deleted ${run.folder}`);
    this.scan();
  }

  /** Runs in progress that this window started or resumed. */
  startedHere(): readonly FolderRun[] {
    return this.alive().filter(run => this.ownFolders.has(run.folder));
  }

  dispose(): void {
    clearInterval(this.heartbeat);
    if (this.gathering) clearTimeout(this.gathering);
    if (this.listing) clearImmediate(this.listing);
    [...this.watchers, ...this.subscriptions].forEach(each => each.dispose());
    [...this.byFolder.values(), ...this.unlisted.values()].forEach(run => run.dispose());
    [this.changed, this.touched, this.failing, this.started, this.ended].forEach(emitter => emitter.dispose());
  }

  /** Finds the runs folders of the present settings, and watches them. */
  private open(): void {
    this.watchers.forEach(watcher => watcher.dispose());
    this.watchers = runsFolders(this.context).map(home => {
      const watcher = vscode.workspace.createFileSystemWatcher(
        new vscode.RelativePattern(vscode.Uri.file(home), WATCHED),
      );
      watcher.onDidCreate(uri => this.touch(uri.fsPath));
      watcher.onDidChange(uri => this.touch(uri.fsPath));
      watcher.onDidDelete(uri => this.touch(uri.fsPath));
      return watcher;
    });
    this.scan();
  }

  private touch(path: string): void {
    this.touchedFolders.add(path.endsWith('.json') ? dirname(path) : path);
    this.gathering ??= setTimeout(() => {
      this.gathering = null;
      this.scan();
      for (const folder of this.touchedFolders) this.byFolder.get(folder)?.refresh();
      this.touchedFolders.clear();
    }, GATHER_MS);
  }

  private scan(): void {
    const folders = new Set(runsFolders(this.context).flatMap(runFoldersIn));
    const gone = [...this.byFolder.keys()].filter(folder => !folders.has(folder));
    for (const folder of gone) this.forgetRun(folder);
    this.found = [...folders].filter(folder => !this.byFolder.has(folder));
    if (gone.length > 0 && this.found.length === 0) this.changed.fire();
    if (this.found.length > 0 && !this.listing) this.listFound(true);
  }

  /** Lists what was found, some runs at a time; told of the first and when all are there. */
  private listFound(isFirst = false): void {
    for (const folder of this.found.splice(0, RUNS_PER_TURN)) {
      if (this.byFolder.has(folder)) continue;
      const run = this.unlisted.get(folder) ?? this.follow(folder);
      this.unlisted.delete(folder);
      run.readFacts();
      this.byFolder.set(folder, run);
    }
    this.listing = this.found.length > 0 ? setImmediate(() => this.listFound()) : null;
    if (isFirst || !this.listing) this.changed.fire();
  }

  private add(folder: string, child: ChildProcess): FolderRun {
    const present = this.get(folder);
    if (present) {
      present.startedBy(child);
      return present;
    }
    const run = this.follow(folder, child);
    this.byFolder.set(folder, run);
    this.changed.fire();
    return run;
  }

  private forgetRun(folder: string): void {
    this.byFolder.get(folder)?.dispose();
    this.byFolder.delete(folder);
  }

  private follow(folder: string, child: ChildProcess | null = null): FolderRun {
    const run = new FolderRun(folder, child);
    let wasAlive = run.alive;
    run.onDidChange(() => {
      this.touched.fire(run);
      if (wasAlive && !run.alive) this.ended.fire(run);
      wasAlive = run.alive;
    });
    return run;
  }

  private async goOn(run: Run, flags: readonly string[], how: Sending | 'follow'): Promise<void> {
    const program = await this.engine.program();
    const sending = how === 'follow' ? await this.clusters.following(run.config) : how;
    const place = sending.flags.indexOf('--on');
    if (place < 0) await this.requireEngine(run.config);
    else if (sending.flags[place + 1] === 'here') await this.requireEngine({});
    await this.train(program, run.folder, flags, sending);
    this.output.info(`Resumed ${run.folder}`);
    this.started.fire();
  }

  private async train(
    program: EngineProgram,
    folder: string,
    flags: readonly string[],
    sending: Sending,
  ): Promise<FolderRun> {
    const { run } = runFolderFiles(folder);
    const oomKillsBefore = oomKills();
    const withSecrets = { ...program, env: { ...program.env, ...sending.env } };
    const all = [...flags, ...sending.flags];
    const child = await startInFolder(withSecrets, 'train', run, folder, all, (code, signal) => {
      if (signal) this.recordDeath(folder, signal, oomKillsSince(oomKillsBefore));
      this.onExit(folder, code ?? signal);
    });
    this.ownFolders.add(folder);
    return this.add(folder, child);
  }

  /** @throws vscode.CancellationError if the user cancels the installation */
  private async requireEngine(config: object): Promise<void> {
    // A cluster trains with PyTorch.
    if (isOnCluster(config)) return;
    if (!(await this.engine.ensureInstalled(deviceOf(config)))) throw new vscode.CancellationError();
  }

  /** Downloads a missing model with progress; the run itself would do so without. @throws vscode.CancellationError */
  private async requireModel(config: object): Promise<void> {
    const { model } = config as { model?: unknown };
    if (typeof model !== 'string' || model.startsWith('embedded:') || isAbsolute(model)) return;
    try {
      await this.engine.inspectModel(model);
    } catch (error) {
      if (pullableModel(error) === null) throw error;
      const path = await vscode.commands.executeCommand('tunewright.pullModel', model);
      if (path === undefined) throw new vscode.CancellationError();
    }
  }

  /** A process that a signal has ended leaves no `failed` event; what is known of its end is kept in the log. */
  private recordDeath(folder: string, signal: NodeJS.Signals, oomKills: number | null): void {
    const { message, hint } = endedBySignal(signal, oomKills);
    const { run, log } = runFolderFiles(folder);
    try {
      // Unless it is being deleted.
      if (existsSync(run)) trusted.appendLine(log, `error: ${message}${hint ? `\n  ${hint}` : ''}`);
    } catch (error) {
      this.output.warn(`${log}: ${String(error)}`);
    }
  }

  private onExit(folder: string, end: number | NodeJS.Signals | null): void {
    const run = this.get(folder);
    if (!run) return;
    run.refresh();
    this.output.info(`${folder} ended with ${end}`);
    // An export may have failed, which leaves the result as it is; the notification of its end says so.
    if (end !== 0 && run.phase !== 'completed') this.failing.fire(run);
  }
}

function runFoldersIn(home: string): string[] {
  try {
    return readdirSync(home, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(home, entry.name))
      .filter(folder => existsSync(runFolderFiles(folder).run));
  } catch {
    return [];
  }
}

/** @throws EngineFailure if the process doesn't end, UntrustedWorkspaceError */
async function endProcess(run: FolderRun): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    run.refresh();
    if (!run.signal(signal)) break;
    for (let waited = 0; waited < STOP_MS; waited += 100) {
      run.refresh();
      if (!run.alive) return;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
  if (run.alive) throw new EngineFailure(`The process that is training in ${run.folder} could not be stopped.`);
}
