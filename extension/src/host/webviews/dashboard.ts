// The dashboard's editor tabs: opens one for a run or for several to compare, and restores it after a reload of the
// window. Its content is up to dashboardSession.ts; a hidden tab keeps no content, and its page requests it again when
// shown.
import * as vscode from 'vscode';
import { block, peftTypeOf } from '../../core/runs/runFileKeys.js';
import { distinctions } from '../../core/runs/runLabels.js';
import type { SuiteResults } from '../../protocol/answers.js';
import type { RunAction, Savings } from '../../protocol/dashboardMessages.js';
import type { RowOrder } from '../../protocol/rowLosses.js';
import { keptFolders } from '../keptValues.js';
import { chosenPlace } from '../clusters/choosePlace.js';
import { addressOf, type Clusters } from '../clusters/clusters.js';
import { guarded } from '../commands/guarded.js';
import { reveal } from '../commands/reveal.js';
import { openAtKey, openAtLine } from '../runFiles/openAt.js';
import { readCertificates, runFolderFiles } from '../runs/runFolderFiles.js';
import { resultOf } from '../runs/runResult.js';
import { deviceOf } from '../runs/runSettings.js';
import type { HostServices, Run } from '../services.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { requireTrust, trusted } from '../trustedActions.js';
import { stepDone } from '../walkthrough.js';
import { DashboardSession } from './dashboardSession.js';
import type { EngineLine } from './engineLines.js';
import { withToken } from './withToken.js';
import { savingsOf } from '../engineProcess/engineAnswers.js';
import { tabIcon, webviewChannelOf } from './webviewChannelOf.js';

const VIEW_TYPE = 'tunewright.dashboard';

/** Actions that are commands on the run. */
const COMMANDS: Partial<Record<RunAction, string>> = {
  try: 'openPlayground',
  evaluate: 'evaluateDataset',
  rowsByLoss: 'rowsByLoss',
  merge: 'mergeAdapter',
  export: 'export',
  serve: 'serveAdapter',
  trainFurther: 'trainFurther',
  startAgain: 'startRunAgain',
  startAnyway: 'startRunAnyway',
  openLog: 'openRunLog',
  reveal: 'revealRun',
};

/**
 * @param onDidAnswerSuite a model of a run has answered a suite
 * @param onDidExport this window has exported something
 */
export function registerDashboard(
  services: HostServices,
  methods: KnownMethods,
  clusters: Pick<Clusters, 'named' | 'priceOf'>,
  onDidAnswerSuite: vscode.Event<void>,
  onDidExport: vscode.Event<void>,
): vscode.Disposable {
  const dashboards = new Dashboards(services, methods, clusters, onDidAnswerSuite, onDidExport);
  return vscode.Disposable.from(
    dashboards,
    // Arguments: one or more run folders; the first is shown in full, the others are overlaid in its charts. And how to list its rows.
    vscode.commands.registerCommand(
      'tunewright.dashboard.open',
      (folders: string | readonly string[], rows?: RowOrder) =>
        dashboards.open(typeof folders === 'string' ? [folders] : folders, rows),
    ),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel, kept: unknown) => dashboards.adopt(panel, keptFolders(kept)),
    }),
  );
}

class Dashboards implements vscode.Disposable {
  private readonly shown = new Map<vscode.WebviewPanel, readonly string[]>();
  private readonly sessions = new Map<vscode.WebviewPanel, DashboardSession>();

  constructor(
    private readonly services: HostServices,
    private readonly methods: KnownMethods,
    private readonly clusters: Pick<Clusters, 'named' | 'priceOf'>,
    private readonly onDidAnswerSuite: vscode.Event<void>,
    private readonly onDidExport: vscode.Event<void>,
  ) {}

  open(folders: readonly string[], rows?: RowOrder): DashboardSession {
    let [panel] = [...this.shown].find(([, own]) => own.join('\n') === folders.join('\n')) ?? [];
    if (panel) panel.reveal();
    else {
      panel = vscode.window.createWebviewPanel(VIEW_TYPE, 'Run', vscode.ViewColumn.Active, {});
      this.adopt(panel, folders);
    }
    const session = this.sessions.get(panel)!;
    if (rows) session.listBy(rows);
    return session;
  }

  adopt(panel: vscode.WebviewPanel, folders: readonly string[]): void {
    const { engine, runs, output, context } = this.services;
    panel.iconPath = tabIcon(context);
    for (const folder of folders) runs.openFolder(folder);
    const show = (now: readonly string[]) => {
      this.shown.set(panel, now);
      panel.title = this.titleOf(now);
    };
    show(folders);
    const session = new DashboardSession({
      channel: webviewChannelOf(panel.webview, { name: 'dashboard', title: 'Dashboard' }, this.services),
      runs: {
        runs: () => runs.runs(),
        get: folder => runs.get(folder),
        onDidChange: runs.onDidChange,
        resume: run => this.resume(run),
      },
      folders,
      onFoldersChanged: show,
      pricePerHour: run => this.clusters.priceOf(run.config),
      methodTitle: peftType => this.methods.titleOf(peftType),
      resultOf: run => (resultOf(run) === null ? null : this.methods.usesOf(peftTypeOf(run.config))),
      savings: run => this.savings(run),
      suiteResults: folders => this.suiteResults(folders),
      certificates: run => readCertificates(run.folder),
      useExport: (path, how) =>
        void guarded(output, 'dashboard: use export', async () =>
          how === 'copy' ? vscode.env.clipboard.writeText(path) : reveal(path),
        ),
      exportFile,
      act: (run, action) => void guarded(output, `dashboard: ${action}`, () => act(run, action)),
      rows: {
        rows: (args, onLine, cancelled) => this.measure(args, onLine, cancelled),
        quarantine: args => engine.json(['quarantine', ...args]),
        openPlace: (file, line) => void guarded(output, 'dashboard: open row', () => openAtLine(file, line)),
        trainWithout: async run => {
          const { file } = await engine.json<{ file: string }>(['quarantine', run.folder]);
          const started = await runs.start(withExcluded(run.config, file));
          await vscode.commands.executeCommand('tunewright.openDashboard', started.folder);
        },
      },
    });
    this.sessions.set(panel, session);
    const titles = runs.onDidChange(() => show(this.shown.get(panel)!));
    const answers = this.onDidAnswerSuite(() => void session.learnSuites());
    const exports = this.onDidExport(() => session.learnExports());
    panel.onDidDispose(() => {
      this.shown.delete(panel);
      this.sessions.delete(panel);
      vscode.Disposable.from(titles, answers, exports).dispose();
      session.dispose();
    });
    stepDone('watch');
    output.debug(`Dashboard on ${folders.join(', ')}`);
  }

  /** Where the user chooses, unless its job goes on. */
  private async resume(run: Run): Promise<void> {
    try {
      const on = run.detached ? undefined : await chosenPlace(run.config, this.clusters, `Resume ${run.name}`);
      await this.services.runs.resume(run, on);
    } catch (error) {
      if (!(error instanceof vscode.CancellationError)) throw error;
    }
  }

  dispose(): void {
    for (const panel of this.shown.keys()) panel.dispose();
  }

  private titleOf(folders: readonly string[]): string {
    const { runs } = this.services;
    const name = runs.get(folders[0] ?? '')?.name ?? 'Run';
    if (folders.length > 1) return `${name} and ${folders.length - 1} more`;
    const distinction = distinctions(runs.runs()).get(folders[0] ?? '');
    return distinction ? `${name} · ${distinction.time}` : name;
  }

  private async measure(
    args: readonly string[],
    onLine: (line: EngineLine) => void,
    cancelled: AbortSignal,
  ): Promise<void> {
    const { engine, runs } = this.services;
    if (args.includes('--losses') || args.includes('--by'))
      if (!(await engine.ensureInstalled(deviceOf(runs.get(args[0]!)?.config ?? {}))))
        throw new vscode.CancellationError();
    await withToken(cancelled, token =>
      engine.jsonLines<EngineLine>(['rows', ...args, '--progress'], onLine, { token }),
    );
  }

  /** None if the engine can't be asked, as in Restricted Mode. */
  private async suiteResults(folders: readonly string[]): Promise<SuiteResults> {
    try {
      return await this.services.engine.suiteResults(folders);
    } catch (error) {
      this.services.output.debug(`No results of suites: ${(error as Error).message}`);
      return [];
    }
  }

  /** null if the engine can't estimate the run, as in Restricted Mode or without the model. */
  private async savings(run: Run): Promise<Savings | null> {
    try {
      return savingsOf(await this.services.engine.estimate(run.config, runFolderFiles(run.folder).run));
    } catch (error) {
      this.services.output.debug(`No estimate for ${run.name}: ${(error as Error).message}`);
      return null;
    }
  }
}

function withExcluded(config: object, exclude: string): object {
  return { ...config, dataset: { ...block(config as Record<string, unknown>, 'dataset'), exclude } };
}

async function act(run: Run, action: RunAction): Promise<void> {
  const command = COMMANDS[action];
  if (command) return void (await vscode.commands.executeCommand(`tunewright.${command}`, run.folder));
  if (action === 'setClusterToken')
    return void (await vscode.commands.executeCommand('tunewright.setClusterToken', addressOf(run.config)));
  const runFile = runFolderFiles(run.folder).run;
  const { file, line, key } = run.failure() ?? { file: null, line: null, key: null };
  if (action === 'editInPanel')
    await vscode.commands.executeCommand('tunewright.openRunFileInPanel', vscode.Uri.file(runFile));
  else if (action === 'openPlace' && file !== null && file !== runFile) await openAtLine(file, line);
  else await openAtKey(runFile, key);
}

async function exportFile(name: string, content: string | Uint8Array): Promise<string | null> {
  requireTrust();
  const home = vscode.workspace.workspaceFolders?.[0]?.uri;
  const target = await vscode.window.showSaveDialog({
    defaultUri: home && vscode.Uri.joinPath(home, name),
    filters: name.endsWith('.png') ? { PNG: ['png'] } : { CSV: ['csv'] },
  });
  if (!target) return null;
  trusted.saveChosen(target.fsPath, content);
  return target.fsPath;
}
