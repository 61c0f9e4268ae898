// Watches single files with chokidar, wherever they are: one watcher for all. A new file renamed over the old one
// counts as a change, and so does a deleted file that reappears. Used by the preview, by continued runs and by the
// marks of outdated runs. chokidar is loaded with the first file, since a window that shows no dataset doesn't need its 23 kB.
import type { FSWatcher } from 'chokidar';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

export type FileEvent = 'changed' | 'deleted';

/** A deletion followed by a new file within this time was a replacement. */
const REPLACE_MS = 250;

export class FileWatch {
  private watcher: FSWatcher | null = null;
  private opening: Promise<FSWatcher> | null = null;
  private readonly listeners = new Map<string, Set<(event: FileEvent) => void>>();
  private readonly gone = new Map<string, NodeJS.Timeout>();

  /** @returns a function that stops watching */
  add(file: string, listener: (event: FileEvent) => void): () => void {
    const path = resolve(file);
    const listeners = this.listeners.get(path) ?? new Set();
    this.listeners.set(path, listeners);
    listeners.add(listener);
    if (listeners.size === 1) void this.watchPath(path);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0 || this.listeners.get(path) !== listeners) return;
      this.listeners.delete(path);
      this.watcher?.unwatch(path);
    };
  }

  async close(): Promise<void> {
    for (const timer of this.gone.values()) clearTimeout(timer);
    this.listeners.clear();
    await (await this.opening)?.close();
    this.watcher = this.opening = null;
  }

  private async watchPath(path: string): Promise<void> {
    this.opening ??= this.open();
    const watcher = await this.opening;
    // Unless nothing listens any more.
    if (this.listeners.has(path)) watcher.add(path);
  }

  private async open(): Promise<FSWatcher> {
    const { watch } = await import('chokidar');
    this.watcher = watch([], {
      ignoreInitial: true,
      // A file that is still being written is reported once it is complete.
      awaitWriteFinish: { stabilityThreshold: 150, pollInterval: 50 },
    })
      .on('change', path => this.changed(path))
      .on('add', path => this.changed(path))
      .on('unlink', path => this.unlinked(path));
    return this.watcher;
  }

  private changed(path: string): void {
    clearTimeout(this.gone.get(path));
    this.gone.delete(path);
    this.tell(path, 'changed');
  }

  private unlinked(path: string): void {
    clearTimeout(this.gone.get(path));
    const timer = setTimeout(() => {
      this.gone.delete(path);
      // The new file may be there, but not complete: it is told as a change.
      if (existsSync(path)) return;
      this.tell(path, 'deleted');
      // chokidar drops deleted paths, but this one may reappear.
      if (this.listeners.has(path)) this.watcher?.add(path);
    }, REPLACE_MS);
    this.gone.set(path, timer);
    this.watcher?.add(path);
  }

  private tell(path: string, event: FileEvent): void {
    for (const listener of this.listeners.get(path) ?? []) listener(event);
  }
}
