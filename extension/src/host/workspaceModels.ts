// The models in the workspace: folders with the config.json of a model, such as `merge` writes, and the results of runs that are whole
// models. Used with those of the machine by the Models view, the run panel and the quick picks.
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { isModelConfig } from './artifactFolders.js';
import { machineModels, type MachineModel } from './engineProcess/machineModels.js';
import type { FolderRun } from './runs/folderRun.js';
import { isWholeModel, resultOf } from './runs/runResult.js';
import type { FolderRunService } from './runs/runService.js';
import { withinRunsFolders } from './runs/runsFolders.js';
import type { EngineService } from './services.js';

const CONFIGS = '**/config.json';
const OTHER_FOLDERS = '**/{node_modules,.git,.venv,venv,dist,out}/**';
const MAX_CONFIGS = 500;
const GATHER_MS = 500;

export type OfferedModel = MachineModel & {
  /** The run whose result it is. */
  run?: FolderRun;
};

export class WorkspaceModels implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly watcher = vscode.workspace.createFileSystemWatcher(CONFIGS, false, true, false);
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** A model may have been added or removed. */
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly engine: EngineService,
    private readonly runs: FolderRunService,
    private readonly context: vscode.ExtensionContext,
  ) {
    const changed = () => {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.changed.fire();
      }, GATHER_MS);
    };
    this.watcher.onDidCreate(changed);
    this.watcher.onDidDelete(changed);
  }

  /** Those of the workspace first, then those of the machine; without the embedded one. @throws as `EngineService.json` */
  async list(): Promise<OfferedModel[]> {
    const results = this.results();
    const folders = [...results.keys(), ...(await this.folders())];
    const found = await machineModels(this.engine, folders);
    const named = found.map((model): OfferedModel => {
      if (model.path === null || !folders.includes(model.path)) return model;
      const run = results.get(model.path);
      return { ...model, label: run?.name ?? this.labelOf(model.path), ...(run ? { run } : {}) };
    });
    const isOwn = ({ path }: OfferedModel) => path !== null && folders.includes(path);
    return [...named.filter(isOwn), ...named.filter(model => !isOwn(model))];
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.watcher.dispose();
    this.changed.dispose();
  }

  /** Results of runs that are whole models, by their folders. */
  private results(): Map<string, FolderRun> {
    return new Map(
      this.runs.runs().flatMap(run => {
        const path = resultOf(run);
        return path !== null && isWholeModel(path) ? [[path, run] as const] : [];
      }),
    );
  }

  private async folders(): Promise<string[]> {
    const isInRuns = withinRunsFolders(this.context);
    const configs = await vscode.workspace.findFiles(CONFIGS, OTHER_FOLDERS, MAX_CONFIGS);
    return configs
      .map(({ fsPath }) => fsPath)
      .filter(path => !isInRuns(path) && isModelConfig(path))
      .map(path => dirname(path))
      .sort();
  }

  /** Its path in the workspace; of a workspace that is a model, the folder's name. */
  private labelOf(folder: string): string {
    const path = vscode.workspace.asRelativePath(folder);
    return path === folder ? basename(folder) : path;
  }
}
