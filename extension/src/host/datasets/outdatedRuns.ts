// Which runs were trained on a file that has changed since: compares the hash in the run with that of the present file.
// Used by the CodeLens, the preview and the Runs view; watches the training files of all known runs.
import * as vscode from 'vscode';
import type { Run, RunService } from '../services.js';
import type { DatasetWorkerClient } from './datasetWorkerClient.js';
import type { FileWatch } from './fileWatch.js';
import { trainedContent, trainingFile } from './trainedContent.js';

export interface OutdatedRuns {
  isOutdated(folder: string): boolean;
  /** Runs that were trained on an older version of the file `path`. */
  trainedOnOlder(path: string): readonly Run[];
  readonly onDidChange: vscode.Event<void>;
}

export class OutdatedRunMarks implements OutdatedRuns, vscode.Disposable {
  private readonly outdated = new Map<string, { run: Run; path: string }>();
  private readonly watched = new Map<string, () => void>();
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly runs: RunService,
    private readonly worker: DatasetWorkerClient,
    private readonly files: FileWatch,
  ) {
    this.subscriptions = [
      runs.onDidChange(() => this.refresh()),
      // A run records the hash only after its start.
      runs.onDidEnd(run => void this.compare(trainingFile(run))),
    ];
    this.refresh();
  }

  isOutdated(folder: string): boolean {
    return this.outdated.has(folder);
  }

  trainedOnOlder(path: string): readonly Run[] {
    return [...this.outdated.values()].filter(each => each.path === path).map(({ run }) => run);
  }

  dispose(): void {
    for (const stop of this.watched.values()) stop();
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.changed.dispose();
  }

  /** Watches the runs' training files, and compares them. */
  private refresh(): void {
    for (const folder of this.outdated.keys()) if (!this.runs.get(folder)) this.outdated.delete(folder);
    const paths = new Set(this.runs.runs().flatMap(run => trainingFile(run) ?? []));
    for (const [path, stop] of this.watched) {
      if (paths.has(path)) continue;
      stop();
      this.watched.delete(path);
    }
    for (const path of paths) {
      if (!this.watched.has(path))
        this.watched.set(
          path,
          this.files.add(path, () => void this.compare(path)),
        );
      void this.compare(path);
    }
  }

  private async compare(path: string | null): Promise<void> {
    if (path === null) return;
    const now = await this.worker.request('hash', { path }).catch(() => null);
    let changed = false;
    for (const run of this.runs.runs().filter(each => trainingFile(each) === path)) {
      const then = trainedContent(run);
      // A missing file hasn't changed: it may be on a disk that isn't mounted.
      const isOutdated = now !== null && then !== null && then !== now;
      changed ||= isOutdated !== this.outdated.has(run.folder);
      if (isOutdated) this.outdated.set(run.folder, { run, path });
      else this.outdated.delete(run.folder);
    }
    if (changed) this.changed.fire();
  }
}
