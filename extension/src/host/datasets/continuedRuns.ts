// Where a run says `on_change: continue`: once its training file was edited, a new run goes on from its last result. Made by
// register.ts; decides by the run folders and the file's content alone. Starts nothing twice for one content, nothing while a
// run of the chain lives, and nothing after one that was stopped. Imports no vscode, so that unit tests run it.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runPhase, type RunPhase } from '../../core/runs/runStatus.js';
import { chainName, furtherName, furtherRunFile, resultOf } from '../runs/furtherRun.js';
import type { Run, RunService } from '../services.js';
import type { FileWatch } from './fileWatch.js';
import { trainedContent, trainingFile } from './trainedContent.js';

/** Saves come in crowds; a run begins once there was none for this long. */
const QUIET_MS = 3_000;

/** One run of a chain, as far as it decides whether the chain goes on. */
export interface ChainLink {
  phase: RunPhase;
  alive: boolean;
  /** Hash of the rows that it was trained on; null where it never read them. */
  content: string | null;
  continues: boolean;
}

/**
 * The run to go on from now that the rows have the hash `content`; null: none is to be started.
 * @param chain youngest first; the youngest says whether the chain goes on at all
 */
export function linkToContinue<T extends ChainLink>(chain: readonly T[], content: string): T | null {
  const [youngest] = chain;
  if (!youngest?.continues || youngest.phase === 'stopped') return null;
  if (chain.some(link => link.alive || link.content === content)) return null;
  return chain.find(link => link.phase === 'completed' && link.content !== null) ?? null;
}

export interface ContinuedRunsOptions {
  runs: Pick<RunService, 'runs' | 'onDidChange' | 'onDidEnd'>;
  files: Pick<FileWatch, 'add'>;
  /** SHA-256 of a file; null where it is gone. */
  hash(path: string): Promise<string | null>;
  /** Whether anything may be executed in this workspace. */
  isTrusted(): boolean;
  /** Someone is typing in the file and will save once more. */
  isDirty(path: string): boolean;
  /** Starts a run in the workspace folder of another one. */
  start(runFile: object, beside: Run): Promise<unknown>;
  log(message: string): void;
  /** A run that was to be started could not be. */
  onFault(path: string, error: Error): void;
  quietMs?: number;
}

export class ContinuedRuns {
  private readonly watched = new Map<string, () => void>();
  private readonly waiting = new Map<string, NodeJS.Timeout>();
  private readonly subscriptions: { dispose(): unknown }[];

  constructor(private readonly options: ContinuedRunsOptions) {
    const { runs } = options;
    this.subscriptions = [
      runs.onDidChange(() => this.watch()),
      // The rows may have been edited while it trained.
      runs.onDidEnd(run => continues(run) && this.considerSoon(trainingFile(run)!)),
    ];
    this.watch();
  }

  dispose(): void {
    for (const stop of this.watched.values()) stop();
    for (const timer of this.waiting.values()) clearTimeout(timer);
    for (const each of this.subscriptions) each.dispose();
  }

  private watch(): void {
    const paths = new Set(this.options.runs.runs().flatMap(run => (continues(run) ? trainingFile(run)! : [])));
    for (const [path, stop] of this.watched) {
      if (paths.has(path)) continue;
      stop();
      this.watched.delete(path);
    }
    for (const path of paths) {
      if (this.watched.has(path)) continue;
      const stop = this.options.files.add(path, event => event === 'changed' && this.considerSoon(path));
      this.watched.set(path, stop);
    }
  }

  private considerSoon(path: string): void {
    const { isDirty, onFault, quietMs = QUIET_MS } = this.options;
    clearTimeout(this.waiting.get(path));
    const timer = setTimeout(() => {
      this.waiting.delete(path);
      if (isDirty(path)) return this.considerSoon(path);
      this.consider(path).catch((error: Error) => onFault(path, error));
    }, quietMs);
    this.waiting.set(path, timer);
  }

  private async consider(path: string): Promise<void> {
    const { runs, hash, isTrusted } = this.options;
    const content = await hash(path);
    if (content === null || !isTrusted()) return;
    const chains = new Map<string, (ChainLink & { run: Run })[]>();
    for (const run of runs.runs().filter(each => trainingFile(each) === path)) {
      const { alive } = run;
      const phase = runPhase(run.glance(), alive);
      const link = { run, alive, phase, content: await trainedContent(run), continues: continues(run) };
      const name = chainName(run.name);
      chains.set(name, [...(chains.get(name) ?? []), link]);
    }
    for (const chain of chains.values()) {
      const link = linkToContinue(chain, content);
      const result = link && resultOf(link.run);
      if (result) await this.goOn(link.run, result, content);
    }
  }

  private async goOn(run: Run, result: string, content: string): Promise<void> {
    const { runs, start, log } = this.options;
    const claim = join(run.folder, `continued-${content.slice(0, 16)}.json`);
    if (!claimed(claim, content)) return;
    const taken = runs.runs().map(each => each.name);
    const name = furtherName(run.name, taken);
    log(`${trainingFile(run)} has changed: ${name} goes on from ${result}`);
    try {
      await start(furtherRunFile(run, result, name), run);
    } catch (error) {
      rmSync(claim, { force: true });
      throw error;
    }
  }
}

function continues(run: Run): boolean {
  const { dataset } = run.config as { dataset?: { on_change?: unknown } };
  return dataset?.on_change === 'continue' && trainingFile(run) !== null;
}

/** A file that only one window can make; it stays, so that a run that failed isn't tried again on the same rows. */
function claimed(path: string, content: string): boolean {
  try {
    writeFileSync(path, `${JSON.stringify({ dataset_hash: content })}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
