// The Models and Adapters view: the embedded model, the models of this workspace and of this machine, and the adapters of this
// workspace's runs. A result that is a whole model is a model. Asks the engine when first shown and on refresh; empty in Restricted
// Mode.
import * as vscode from 'vscode';
import { distinctions, distinctionText, type Distinction } from '../../core/runs/runLabels.js';
import { longFigure, runFigure, shortFigure } from '../../core/runs/runStatus.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import type { FolderRun } from '../runs/folderRun.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import type { FolderRunService } from '../runs/runService.js';
import { EMBEDDED_MODEL } from '../engineProcess/machineModels.js';
import type { OfferedModel, WorkspaceModels } from '../workspaceModels.js';

export type ModelElement = { kind: 'model' } & OfferedModel;

interface AdapterElement {
  kind: 'adapter';
  path: string;
  run: FolderRun;
  /** What tells it from other runs of that name. */
  distinction: Distinction | undefined;
}

type Element = { kind: 'section'; title: string; id: 'models' | 'adapters' } | ModelElement | AdapterElement;

/** Words for the `when` clauses of menus on a run's result, such as `result adapter mergeable`. */
export function resultContext(run: FolderRun, methods: KnownMethods): string {
  const result = resultOf(run);
  if (result === null) return '';
  const isMergeable = methods.canMerge(run.glance().started?.peft_type ?? '');
  const words = [isWholeModel(result) ? '' : 'adapter', isMergeable ? 'mergeable' : ''];
  return ['result', ...words].filter(Boolean).join(' ');
}

export function registerModelsTree(
  models: WorkspaceModels,
  runs: FolderRunService,
  methods: KnownMethods,
): vscode.Disposable {
  const tree = new ModelsTree(models, runs, methods);
  return vscode.Disposable.from(
    vscode.window.createTreeView('tunewright.models', { treeDataProvider: tree, showCollapseAll: true }),
    tree,
    models.onDidChange(() => tree.refresh()),
    runs.onDidChange(() => tree.refresh()),
    runs.onDidChangeRun(run => {
      if (!run.alive) tree.refresh();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => tree.refresh()),
    vscode.commands.registerCommand('tunewright.refreshModels', () => {
      tree.refresh();
      return vscode.commands.executeCommand('tunewright.runPanel.refreshChoices');
    }),
  );
}

class ModelsTree implements vscode.TreeDataProvider<Element>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;

  constructor(
    private readonly models: WorkspaceModels,
    private readonly runs: FolderRunService,
    private readonly methods: KnownMethods,
  ) {}

  refresh(): void {
    this.changed.fire();
  }

  async getChildren(element?: Element): Promise<Element[]> {
    if (!vscode.workspace.isTrusted) return [];
    if (!element)
      return [
        { kind: 'section', id: 'models', title: 'Models' },
        { kind: 'section', id: 'adapters', title: 'Adapters' },
      ];
    if (element.kind !== 'section') return [];
    if (element.id === 'adapters') return this.adapters();
    const models: OfferedModel[] = [EMBEDDED_MODEL, ...(await this.models.list())];
    return models.map(model => ({ kind: 'model', ...model }));
  }

  /** Results that are whole models are not among them. */
  private adapters(): AdapterElement[] {
    const runs = this.runs.runs();
    const known = distinctions(runs);
    return runs.flatMap((run): AdapterElement[] => {
      const path = resultOf(run);
      if (path === null || isWholeModel(path)) return [];
      return [{ kind: 'adapter', path, run, distinction: known.get(run.folder) }];
    });
  }

  getTreeItem(element: Element): vscode.TreeItem {
    if (element.kind === 'section') {
      const isEmpty = element.id === 'adapters' && this.adapters().length === 0;
      const { Expanded, None } = vscode.TreeItemCollapsibleState;
      const item = new vscode.TreeItem(element.title, isEmpty ? None : Expanded);
      item.id = element.id;
      item.contextValue = `section ${element.id}`;
      if (isEmpty) item.description = 'none yet; completed runs add theirs';
      return item;
    }
    return element.kind === 'model' ? modelItem(element, this.methods) : adapterItem(element, this.methods);
  }

  dispose(): void {
    this.changed.dispose();
  }
}

function modelItem(
  { id, label, description, reason, path, run }: OfferedModel,
  methods: KnownMethods,
): vscode.TreeItem {
  const item = new vscode.TreeItem(label, vscode.TreeItemCollapsibleState.None);
  item.id = `model:${path ?? id}`;
  item.iconPath = new vscode.ThemeIcon(reason === null ? 'symbol-method' : 'circle-slash');
  item.description = reason === null ? description : `can’t be trained: ${reason}`;
  item.tooltip = [id, description, reason ?? '', path ?? ''].filter(Boolean).join('\n');
  const words = [
    'model',
    reason === null ? 'trainable' : '',
    path ? 'onDisk' : '',
    run ? resultContext(run, methods) : '',
  ];
  item.contextValue = words.filter(Boolean).join(' ');
  if (run) item.command = { command: 'tunewright.openDashboard', title: 'Open Dashboard', arguments: [run] };
  return item;
}

function adapterItem({ path, run, distinction }: AdapterElement, methods: KnownMethods): vscode.TreeItem {
  const state = run.glance();
  const { started } = state;
  const item = new vscode.TreeItem(run.name, vscode.TreeItemCollapsibleState.None);
  item.id = `adapter:${path}`;
  item.iconPath = new vscode.ThemeIcon('extensions');
  const loss = runFigure(state);
  item.description = [
    distinction ? distinctionText(distinction) : '',
    started ? methods.titleOf(started.peft_type) : '',
    loss ? shortFigure(loss) : '',
    started?.model ?? '',
  ]
    .filter(Boolean)
    .join(' · ');
  item.tooltip = [path, loss ? longFigure(loss) : ''].filter(Boolean).join('\n');
  item.contextValue = resultContext(run, methods);
  item.command = { command: 'tunewright.openDashboard', title: 'Open Dashboard', arguments: [run] };
  return item;
}
