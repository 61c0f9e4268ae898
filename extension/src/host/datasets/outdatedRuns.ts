// Which runs were trained on rows that have changed since: the hash that the engine wrote into the run against that of the file
// as it stands. Asked by the CodeLens, the preview and the Runs tree; watches the training files of all known runs.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { Run, RunService } from '../services.js';
import type { DatasetWorkerClient } from './datasetWorkerClient.js';
import type { FileWatch } from './fileWatch.js';

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
  private readonly subscription: vscode.Disposable;
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly runs: RunService,
    private readonly worker: DatasetWorkerClient,
    private readonly files: FileWatch,
  ) {
    this.subscription = runs.onDidChange(() => this.refresh());
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
    this.subscription.dispose();
    this.changed.dispose();
  }

  /** Watches what the runs were trained on, and compares. */
  private refresh(): void {
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

  private async compare(path: string): Promise<void> {
    const now = await this.worker.request('hash', { path }).catch(() => null);
    let changed = false;
    for (const run of this.runs.runs().filter(each => trainingFile(each) === path)) {
      const then = await hashOf(run);
      // A file that is gone is not another one: it may be on a disk that isn't there.
      const isOutdated = now !== null && then !== null && then !== now;
      changed ||= isOutdated !== this.outdated.has(run.folder);
      if (isOutdated) this.outdated.set(run.folder, { run, path });
      else this.outdated.delete(run.folder);
    }
    if (changed) this.changed.fire();
  }
}

function trainingFile(run: Run): string | null {
  const { dataset } = run.config as { dataset?: { train?: unknown } };
  return typeof dataset?.train === 'string' ? dataset.train : null;
}

/** In the `started` event, else in the newest checkpoint; null for a run that has not come so far. */
async function hashOf(run: Run): Promise<string | null> {
  const told = run.state().started?.dataset_hash;
  if (told) return told;
  const folder = join(run.folder, 'checkpoints');
  const names = await readdir(folder).catch(() => []);
  const steps = names.map(name => Number(/^step-(\d+)$/.exec(name)?.[1] ?? NaN)).filter(step => !Number.isNaN(step));
  if (steps.length === 0) return null;
  try {
    const state = JSON.parse(
      await readFile(join(folder, `step-${Math.max(...steps)}`, 'state.json'), 'utf8'),
    ) as unknown;
    const { dataset_hash: hash } = state as { dataset_hash?: unknown };
    return typeof hash === 'string' ? hash : null;
  } catch {
    return null;
  }
}
