// Which run files of the workspace use a dataset, so that the preview reads its rows as the run would. Used by
// readingSettings.ts; reads *.tune.json only and reports when they change.
import { dirname, resolve } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod';
import { readText } from '../../system/regularFile.js';
import { datasetConfigSchema } from '../../protocol/datasetConfig.js';

/** The part of a run file that the preview needs, so that errors elsewhere in the file don't matter. */
const referringSchema = z.looseObject({ name: z.string().optional(), model: z.string(), dataset: datasetConfigSchema });

export interface RunFileReference {
  uri: vscode.Uri;
  /** Name of the run. */
  name: string;
  model: string;
  dataset: z.infer<typeof datasetConfigSchema>;
  /** The whole run file. */
  content: object;
  /** Absolute paths. */
  train: string;
  validation: string | null;
}

export class RunFileReferences implements vscode.Disposable {
  private references: RunFileReference[] = [];
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly watcher = vscode.workspace.createFileSystemWatcher('**/*.tune.json');
  private readonly ready: Promise<void>;
  private scanning: Promise<void> = Promise.resolve();
  readonly onDidChange = this.changed.event;

  constructor() {
    this.ready = this.scan();
    const again = () => (this.scanning = this.scanning.then(() => this.scan()));
    this.watcher.onDidChange(again);
    this.watcher.onDidCreate(again);
    this.watcher.onDidDelete(again);
  }

  /** The run file that trains on this file, else one that validates with it. */
  async referringTo(path: string): Promise<RunFileReference | null> {
    await this.ready;
    const { references } = this;
    return references.find(({ train }) => train === path) ?? references.find(r => r.validation === path) ?? null;
  }

  dispose(): void {
    this.watcher.dispose();
    this.changed.dispose();
  }

  private async scan(): Promise<void> {
    const found = await vscode.workspace.findFiles('**/*.tune.json', '**/node_modules/**', 500);
    const read = found.sort((a, b) => (a.fsPath < b.fsPath ? -1 : 1)).map(readReference);
    this.references = read.filter(reference => reference !== null);
    this.changed.fire();
  }
}

function readReference(uri: vscode.Uri): RunFileReference | null {
  try {
    return referenceOf(JSON.parse(readText(uri.fsPath) ?? '') as object, uri);
  } catch {
    // The run file's own diagnostics report what is wrong with it.
    return null;
  }
}

/**
 * @param content of a run file, or of a draft that is not saved
 * @param uri its location, which need not exist: the base of its paths
 * @throws z.ZodError if model or dataset are not as in run files
 */
export function referenceOf(content: object, uri: vscode.Uri): RunFileReference {
  const { name, model, dataset } = referringSchema.parse(content);
  const folder = dirname(uri.fsPath);
  const { train, validation } = dataset;
  return {
    uri,
    name: name ?? 'run',
    model,
    dataset,
    content,
    train: resolve(folder, train),
    validation: typeof validation === 'string' ? resolve(folder, validation) : null,
  };
}
