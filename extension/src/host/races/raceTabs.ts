// The editor tabs of races: opens one for a race file or a race folder, restores it after a reload of the window, and starts, continues
// and stops races. What a tab shows is up to raceSession.ts; a hidden one keeps no content, and its page requests it again.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import { block } from '../../core/runs/runFileKeys.js';
import type { RaceSteering } from '../../protocol/raceMessages.js';
import { holderOf } from '../../system/fileClaim.js';
import { activeFile } from '../activeFile.js';
import { keptRace } from '../keptValues.js';
import { isOnCluster, type Clusters } from '../clusters/clusters.js';
import { guarded, registerGuarded } from '../commands/guarded.js';
import type { CommandLineEngine } from '../engineProcess/engineService.js';
import { openAtLine } from '../runFiles/openAt.js';
import { readJson } from '../runs/runFolderFiles.js';
import { latestFolder, nameInFolder, runFolderName } from '../runs/runsFolders.js';
import { deviceOf } from '../runs/runSettings.js';
import { startInFolder } from '../runs/startProcess.js';
import type { HostServices } from '../services.js';
import { requireTrust, trusted } from '../trustedActions.js';
import { tabIcon, webviewChannelOf } from '../webviews/webviewChannelOf.js';
import { showQuickPick } from '../window.js';
import { raceFolderFiles, type RaceSource } from './raceReader.js';
import { RaceSession } from './raceSession.js';

const VIEW_TYPE = 'tunewright.race';

export function registerRaceTabs(
  services: HostServices,
  engine: CommandLineEngine,
  clusters: Clusters,
): vscode.Disposable {
  const tabs = new RaceTabs(services, engine, clusters);
  const { output } = services;
  return vscode.Disposable.from(
    tabs,
    registerGuarded(output, 'tunewright.openRace', async uri => {
      const file = await pickRaceFile('Open Race', uri);
      if (file) tabs.open(sourceOf(file));
    }),
    registerGuarded(output, 'tunewright.startRace', async uri => {
      const file = await pickRaceFile('Start Race', uri);
      if (file) await tabs.start(file);
    }),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel, kept: unknown) => tabs.adopt(panel, keptRace(kept)),
    }),
  );
}

class RaceTabs implements vscode.Disposable {
  private readonly shown = new Map<vscode.WebviewPanel, RaceSource>();

  constructor(
    private readonly services: HostServices,
    private readonly engine: CommandLineEngine,
    private readonly clusters: Clusters,
  ) {}

  open(source: RaceSource): void {
    const same = [...this.shown].find(
      ([, own]) => own.folder === source.folder && (own.file === source.file || own.folder !== null),
    );
    if (same) return same[0].reveal();
    const panel = vscode.window.createWebviewPanel(VIEW_TYPE, 'Race', vscode.ViewColumn.Active, {});
    this.adopt(panel, source);
  }

  /** A new race of a race file, in a tab; while one of its races is in progress, and for race.json of a race folder, that one. */
  async start(file: string): Promise<void> {
    const latest = sourceOf(file);
    const isAlive = latest.folder !== null && holderOf(raceFolderFiles(latest.folder).process) !== null;
    if (isAlive || latest.file === null) return this.open(latest);
    this.open({ file, folder: await this.steer({ file, folder: null }, 'start') });
  }

  adopt(panel: vscode.WebviewPanel, source: RaceSource): void {
    const { output, context } = this.services;
    panel.iconPath = tabIcon(context);
    const show = (now: RaceSource) => {
      this.shown.set(panel, now);
      panel.title = titleOf(now);
    };
    show(source);
    const run = (what: string, act: () => unknown) => void guarded(output, `race: ${what}`, act);
    const session = new RaceSession({
      channel: webviewChannelOf(panel.webview, { name: 'race', title: 'Race' }, this.services),
      source,
      isVisible: () => panel.visible,
      isTrusted: () => vscode.workspace.isTrusted,
      steer: (from, steering) => this.steer(from, steering),
      onFolder: folder => show({ ...this.shown.get(panel)!, folder }),
      openRuns: folders => run('open runs', () => vscode.commands.executeCommand('tunewright.dashboard.open', folders)),
      useRun: draft => run('use method', () => vscode.commands.executeCommand('tunewright.editDraftInPanel', draft)),
      openFile: path => run('open file', () => openInEditor(path)),
    });
    panel.onDidDispose(() => {
      this.shown.delete(panel);
      session.dispose();
    });
  }

  dispose(): void {
    for (const panel of this.shown.keys()) panel.dispose();
  }

  /** @returns the race folder @throws UntrustedWorkspaceError, vscode.CancellationError if the user doesn't install the engine */
  private async steer({ file, folder }: RaceSource, steering: RaceSteering): Promise<string> {
    requireTrust();
    if (steering === 'stop') {
      trusted.appendLine(raceFolderFiles(folder!).commands, JSON.stringify({ type: 'stop' }));
      return folder!;
    }
    const out = steering === 'start' ? newFolder(file!) : folder!;
    const own = file !== null && existsSync(file) ? file : raceFolderFiles(out).race;
    const program = await this.engine.program();
    const run = runOf(own);
    const { flags, env } = await this.clusters.sending(run);
    if (needsInstallation(run) && !(await this.engine.ensureInstalled(deviceOf(run))))
      throw new vscode.CancellationError();
    trusted.makeFolder(out);
    const isBegun = existsSync(raceFolderFiles(out).race);
    const withSecrets = { ...program, env: { ...program.env, ...env } };
    const all = [...(isBegun ? ['--resume'] : []), ...flags];
    await startInFolder(withSecrets, 'race', own, out, all, code =>
      this.services.output.info(`The race in ${out} ended with code ${code}`),
    );
    return out;
  }
}

/** The run that a race file varies; empty if it can't be read. */
function runOf(raceFile: string): Record<string, unknown> {
  const race = (readJson(raceFile) ?? {}) as Record<string, unknown>;
  const { run } = race;
  const named = typeof run === 'string' ? readJson(resolve(dirname(raceFile), run)) : null;
  return block(typeof named === 'object' && named !== null ? { run: named } : race, 'run');
}

/** On a cluster, PyTorch trains; only the answers to suites are made here. */
function needsInstallation(run: Record<string, unknown>): boolean {
  const { suites } = block(run, 'dataset');
  if (isOnCluster(run)) return Array.isArray(suites) && suites.length > 0;
  return true;
}

/** Next to the race file, as the command line has them. */
const racesFolder = (file: string) => join(dirname(file), 'races');

function newFolder(file: string): string {
  const home = racesFolder(file);
  return join(
    home,
    runFolderName(nameIn(file), new Date(), taken => existsSync(join(home, taken))),
  );
}

/** The race folder itself for its race.json; for another race file, its latest race. */
function sourceOf(file: string): RaceSource {
  if (basename(file) === 'race.json' && existsSync(join(dirname(file), 'inputs.json')))
    return { file: null, folder: dirname(file) };
  return { file, folder: latestFolder(racesFolder(file), nameIn(file)) };
}

function nameIn(raceFile: string): string {
  const { name } = (readJson(raceFile) ?? {}) as { name?: unknown };
  return typeof name === 'string' ? name : 'race';
}

function titleOf({ file, folder }: RaceSource): string {
  return file === null ? nameInFolder(basename(folder ?? 'Race')) : basename(file).replace(/(\.race)?\.json$/, '');
}

async function openInEditor(path: string): Promise<void> {
  if (!path.endsWith('.md')) return openAtLine(path, null);
  await vscode.commands.executeCommand('markdown.showPreview', vscode.Uri.file(path));
}

/** The command's argument, the file in the active editor, or the user's choice in the workspace. */
async function pickRaceFile(title: string, uri: unknown): Promise<string | undefined> {
  if (uri instanceof vscode.Uri) return uri.fsPath;
  const active = activeFile();
  if (active?.path.endsWith('.race.json')) return active.fsPath;
  const found = await vscode.workspace.findFiles('{**/*.race.json,**/races/*/race.json}', '**/node_modules/**', 200);
  const picked = await showQuickPick(
    found
      .map(({ fsPath: path }) => ({ label: vscode.workspace.asRelativePath(path), path }))
      .sort((a, b) => (a.label < b.label ? -1 : 1)),
    { title, placeHolder: found.length === 0 ? 'No race file in this workspace' : 'Choose a race' },
  );
  return picked?.path;
}
