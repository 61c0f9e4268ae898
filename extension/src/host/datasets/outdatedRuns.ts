// Which runs were trained on rows that have changed since: the hash that the engine wrote into the run against that of the file
// as it stands. Asked by the CodeLens, the preview and the Runs tree; watches the training files of all known runs.
import * as vscode from 'vscode';
import type { Run, RunService } from '../services.js';
import type { DatasetWorkerClient } from './datasetWorkerClient.js';
import type { FileWatch } from './fileWatch.js';
import { trainedContent, trainingFile } from './trainedContent.js';

export interface OutdatedRuns {
  isOutdated(folder: string): boolean;
  /** Runs whose training file is `path` and was another one then. */
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
      // What a run has read is told once it has started.
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

  /** Watches what the runs were trained on, and compares. */
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
      const then = await trainedContent(run);
      // A file that is gone is not another one: it may be on a disk that isn't there.
      const isOutdated = now !== null && then !== null && then !== now;
      changed ||= isOutdated !== this.outdated.has(run.folder);
      if (isOutdated) this.outdated.set(run.folder, { run, path });
      else this.outdated.delete(run.folder);
    }
    if (changed) this.changed.fire();
  }
}
