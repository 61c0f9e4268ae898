// The Runs view: every run of the workspace with status, loss and duration, as a list or grouped by dataset, model or
// status. Elements are the runs themselves, so that commands of the view get a Run.
import * as vscode from 'vscode';
import { deviceText } from '../../core/deviceText.js';
import { peftTypeOf } from '../../core/runs/runFileKeys.js';
import { distinctions, distinctionText, type Distinction } from '../../core/runs/runLabels.js';
import { currentStep, queuedText, workersText, type RunState } from '../../core/runs/runState.js';
import {
  longFigure,
  PHASE_LABELS,
  runFigure,
  runSeconds,
  shortFigure,
  type RunPhase,
} from '../../core/runs/runStatus.js';
import { count, duration } from '../../core/units.js';
import type { OutdatedRuns } from '../datasets/outdatedRuns.js';
import { keptGrouping } from '../keptValues.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { FolderRun } from '../runs/folderRun.js';
import type { FolderRunService } from '../runs/runService.js';
import { resultContext } from './modelsTree.js';
import { groupRuns, type RunGroup, type RunGrouping } from './runGroups.js';

type Element = FolderRun | RunGroup<FolderRun>;

const RESTRICTED =
  'Restricted Mode: runs can be viewed. To control or delete them, trust this workspace (Workspaces: Manage Workspace Trust).';

const GROUPING = 'tunewright.runs.grouping';

/** Runs that are described before other work of the host gets its turn. */
const ITEMS_PER_TURN = 25;

export function registerRunsTree(
  runs: FolderRunService,
  outdated: OutdatedRuns,
  methods: KnownMethods,
  memory: vscode.Memento,
): vscode.Disposable {
  const tree = new RunsTree(runs, outdated, methods, keptGrouping(memory.get(GROUPING)));
  const view = vscode.window.createTreeView('tunewright.runs', {
    treeDataProvider: tree,
    canSelectMany: true,
    showCollapseAll: true,
  });
  const showBadge = () => {
    const alive = runs.alive().length;
    view.badge =
      alive > 0
        ? { value: alive, tooltip: alive === 1 ? '1 run is training' : `${alive} runs are training` }
        : undefined;
  };
  const group = (grouping: RunGrouping) =>
    vscode.commands.registerCommand(`tunewright.groupRuns.${grouping}`, () => {
      tree.groupBy(grouping);
      void memory.update(GROUPING, grouping);
    });
  const showRestriction = () => {
    // Shown above the runs; an empty view has its own text.
    view.message = vscode.workspace.isTrusted || runs.runs().length === 0 ? undefined : RESTRICTED;
  };
  showBadge();
  showRestriction();
  return vscode.Disposable.from(
    view,
    tree,
    runs.onDidChange(() => {
      tree.refresh();
      showBadge();
      showRestriction();
    }),
    runs.onDidChangeRun(run => {
      tree.refresh(run);
      showBadge();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(showRestriction),
    outdated.onDidChange(() => tree.refresh()),
    group('none'),
    group('dataset'),
    group('model'),
    group('status'),
  );
}

class RunsTree implements vscode.TreeDataProvider<Element>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Element | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private distinctions: ReadonlyMap<string, Distinction>;
  /** Made by `getChildren`, as VS Code asks for all items at once. */
  private readonly prepared = new Map<FolderRun, vscode.TreeItem>();

  constructor(
    private readonly runs: FolderRunService,
    private readonly outdated: OutdatedRuns,
    private readonly methods: KnownMethods,
    private grouping: RunGrouping,
  ) {
    this.tellGrouping();
    this.distinctions = distinctions(runs.runs());
  }

  groupBy(grouping: RunGrouping): void {
    this.grouping = grouping;
    this.tellGrouping();
    this.refresh();
  }

  /** With groups, a run may have moved to another one, so everything is refreshed. */
  refresh(run?: FolderRun): void {
    if (!run) this.distinctions = distinctions(this.runs.runs());
    this.changed.fire(this.grouping === 'none' ? run : undefined);
  }

  async getChildren(element?: Element): Promise<Element[]> {
    if (element instanceof FolderRun) return [];
    const runs = element?.runs ?? this.runs.runs();
    if (!element && this.grouping !== 'none') return groupRuns(runs, keyOf(this.grouping));
    for (const [i, run] of runs.entries()) {
      this.prepared.set(run, this.runItem(run));
      if (i % ITEMS_PER_TURN === ITEMS_PER_TURN - 1) await new Promise(resolve => setImmediate(resolve));
    }
    return [...runs];
  }

  getTreeItem(element: Element): vscode.TreeItem {
    if (!(element instanceof FolderRun)) return groupItem(element);
    const item = this.prepared.get(element) ?? this.runItem(element);
    this.prepared.delete(element);
    return item;
  }

  resolveTreeItem(item: vscode.TreeItem, element: Element): vscode.TreeItem {
    if (element instanceof FolderRun) {
      const method = this.methodOf(element);
      item.tooltip = tooltip(element, this.outdated.isOutdated(element.folder), method);
    }
    return item;
  }

  private methodOf(run: FolderRun): string {
    return this.methods.titleOf(run.glance().started?.peft_type ?? peftTypeOf(run.config));
  }

  private runItem(run: FolderRun): vscode.TreeItem {
    const isOutdated = this.outdated.isOutdated(run.folder);
    const method = this.methodOf(run);
    const { icon, color } = PHASE_ICONS[run.phase];
    const item = new vscode.TreeItem(run.name, vscode.TreeItemCollapsibleState.None);
    item.id = run.folder;
    item.resourceUri = vscode.Uri.file(run.folder);
    item.iconPath = new vscode.ThemeIcon(icon, color ? new vscode.ThemeColor(color) : undefined);
    item.description = describe(run, isOutdated, method, this.distinctions.get(run.folder));
    item.contextValue = contextOf(run, this.methods);
    item.accessibilityInformation = { label: `${run.name}, ${PHASE_LABELS[run.phase]}, ${item.description}` };
    item.command = { command: 'tunewright.openDashboard', title: 'Open Dashboard', arguments: [run] };
    return item;
  }

  dispose(): void {
    this.changed.dispose();
  }

  private tellGrouping(): void {
    void vscode.commands.executeCommand('setContext', 'tunewright.runs.grouping', this.grouping);
  }
}

function keyOf(grouping: Exclude<RunGrouping, 'none'>): (run: FolderRun) => string {
  if (grouping === 'status') return run => PHASE_LABELS[run.phase];
  return run => {
    const { model, dataset } = run.config as { model?: string; dataset?: { train?: string } };
    return (grouping === 'model' ? model : dataset?.train) ?? '';
  };
}

export const PHASE_ICONS: Record<RunPhase, { icon: string; color?: string }> = {
  starting: { icon: 'loading~spin' },
  running: { icon: 'sync~spin', color: 'charts.blue' },
  paused: { icon: 'debug-pause', color: 'charts.yellow' },
  exporting: { icon: 'sync~spin', color: 'charts.blue' },
  completed: { icon: 'pass', color: 'charts.green' },
  stopped: { icon: 'debug-stop' },
  failed: { icon: 'error', color: 'charts.red' },
  interrupted: { icon: 'debug-disconnect', color: 'charts.yellow' },
  queued: { icon: 'clockface', color: 'charts.yellow' },
  detached: { icon: 'debug-disconnect', color: 'charts.blue' },
};

function groupItem({ key, title, detail, runs }: RunGroup<FolderRun>): vscode.TreeItem {
  const item = new vscode.TreeItem(title, vscode.TreeItemCollapsibleState.Expanded);
  item.id = `group:${key}`;
  item.description = [String(runs.length), detail].filter(Boolean).join(' · ');
  item.tooltip = key;
  item.contextValue = 'group';
  return item;
}

/** Most important first, since a narrow side bar truncates the end. */
function describe(run: FolderRun, isOutdated: boolean, method: string, distinction: Distinction | undefined): string {
  const state = run.glance();
  const loss = runFigure(state);
  return [
    distinction ? distinctionText(distinction) : '',
    isOutdated ? 'outdated' : '',
    run.alive && state.started ? `${count(currentStep(state))}/${count(state.started.total_steps)}` : '',
    phaseText(run, state),
    loss === null ? '' : shortFigure(loss),
    state.started && state.firstTime ? duration(runSeconds(state)) : '',
    method,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Said in words where no figure says it. */
function phaseText(run: FolderRun, state: RunState): string {
  if (run.phase === 'queued' && state.queued) return queuedText(state.queued);
  return runFigure(state) === null || run.phase === 'detached' ? PHASE_LABELS[run.phase] : '';
}

/** Words for the `when` clauses of menus. */
function contextOf(run: FolderRun, methods: KnownMethods): string {
  const ended = run.alive ? '' : 'ended';
  return ['run', run.alive ? 'alive' : ended, run.phase, run.resumable ? 'resumable' : '', resultContext(run, methods)]
    .filter(Boolean)
    .join(' ');
}

function tooltip(run: FolderRun, isOutdated: boolean, method: string): vscode.MarkdownString {
  const state = run.glance();
  const { started } = state;
  const text = new vscode.MarkdownString();
  text.appendText(`${run.name}: ${PHASE_LABELS[run.phase]}`);
  const line = (words: string) => {
    text.appendMarkdown('\n\n');
    text.appendText(words);
  };
  if (started) {
    line(`${method} on ${started.model}`);
    line(deviceText(started.engine));
    if (started.engine.reason) line(`Chosen because ${started.engine.reason}.`);
    line(`${count(started.trainable_parameters)} of ${count(started.total_parameters)} parameters trained`);
  }
  line(`Started ${new Date(run.startedMs).toLocaleString('en-GB')}`);
  const loss = runFigure(state);
  if (loss) line(capitalized(longFigure(loss)));
  if (state.workers && run.alive) line(workersText(state.workers));
  if (run.phase === 'detached') line('Its job goes on on the cluster, and nothing follows it here. Resume follows it.');
  const problem = run.failureText();
  if (problem) line(problem);
  if (isOutdated) line('The dataset has changed since this run was trained on it.');
  line(run.folder);
  return text;
}

function capitalized(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
