// The datasets of the workspace, for the run panel, the quick picks and the menus: files with rows that are not part of a model, an
// adapter or a run. Reads the beginning of each file once, and again after it has changed.
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { ROW_FILE_ENDINGS } from '../../core/data/rowFileTypes.js';
import { isPartOfArtifact } from '../artifactFolders.js';
import { withinRunsFolders } from '../runs/runsFolders.js';
import { holdsRows, isOtherFile } from './datasetContent.js';

const FILES = `**/*.{${ROW_FILE_ENDINGS.join(',')}}`;
/** Whose files belong to other programs. */
export const OTHER_FOLDERS = '**/{node_modules,.git,.vscode,.venv,venv,__pycache__,dist,out}/**';
const EXAMPLES = ['pirate.messages.jsonl', 'support-tone.alpaca.jsonl', 'haiku.sharegpt.json', 'facts.csv'];
/** Files that are looked at, and that are offered. */
const MAX_FILES = 1000;
const MAX_DATASETS = 200;
const READ_AT_ONCE = 8;
/** Changes come in bursts. */
const GATHER_MS = 500;
/** Paths of the datasets; menus ask whether theirs is among them. */
const CONTEXT_KEY = 'tunewright.datasets';

interface Checked {
  mtimeMs: number;
  size: number;
  isDataset: Promise<boolean>;
}

export class WorkspaceDatasets implements vscode.Disposable {
  private readonly checked = new Map<string, Checked>();
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly watcher = vscode.workspace.createFileSystemWatcher(FILES);
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Datasets may have been added, changed or removed. */
  readonly onDidChange = this.changed.event;

  constructor(private readonly context: vscode.ExtensionContext) {
    const changed = ({ fsPath }: vscode.Uri) => {
      if (!withinRunsFolders(this.context)(fsPath)) this.refreshSoon();
    };
    for (const event of [this.watcher.onDidCreate, this.watcher.onDidChange, this.watcher.onDidDelete]) event(changed);
    this.refreshSoon();
  }

  /** Own ones are sorted by path; those bundled with the extension are examples. */
  async list(): Promise<{ own: string[]; bundled: string[] }> {
    const examples = join(this.context.extensionPath, 'media', 'datasets');
    return { own: await this.find(), bundled: EXAMPLES.map(name => join(examples, name)).filter(existsSync) };
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.watcher.dispose();
    this.changed.dispose();
  }

  private refreshSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.changed.fire();
      void this.find();
    }, GATHER_MS);
  }

  private async find(): Promise<string[]> {
    const found = await vscode.workspace.findFiles(FILES, OTHER_FOLDERS, MAX_FILES);
    const isInRuns = withinRunsFolders(this.context);
    const candidates = found.filter(({ fsPath }) => !isOtherFile(basename(fsPath)) && !isInRuns(fsPath));
    const own: string[] = [];
    for (let from = 0; from < candidates.length && own.length < MAX_DATASETS; from += READ_AT_ONCE) {
      const some = candidates.slice(from, from + READ_AT_ONCE);
      const are = await Promise.all(some.map(uri => this.isDataset(uri)));
      own.push(...some.filter((_, i) => are[i]).map(({ fsPath }) => fsPath));
    }
    own.sort();
    void vscode.commands.executeCommand('setContext', CONTEXT_KEY, own);
    return own;
  }

  private async isDataset(uri: vscode.Uri): Promise<boolean> {
    const path = uri.fsPath;
    const file = await stat(path).catch(() => null);
    const root = vscode.workspace.getWorkspaceFolder(uri)?.uri.fsPath;
    if (!file?.isFile() || root === undefined || isPartOfArtifact(path, root)) return false;
    const { mtimeMs, size } = file;
    const known = this.checked.get(path);
    if (known?.mtimeMs === mtimeMs && known.size === size) return known.isDataset;
    // A search that begins before the file is read waits for the same answer.
    const isDataset = holdsRows(path);
    this.checked.set(path, { mtimeMs, size, isDataset });
    return isDataset;
  }
}
