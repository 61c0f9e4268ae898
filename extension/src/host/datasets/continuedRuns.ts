// For runs with `on_change: continue`: once the training file was edited, a new run continues training from the last
// result. Created by register.ts; decides only by the run folders and the file's content. Never starts two runs for the
// same content, none while a run of the chain is alive, and none after a stopped one.
import { join } from 'node:path';
import { runPhase, type RunPhase } from '../../core/runs/runStatus.js';
import { chainName, furtherName, furtherRunFile } from '../runs/furtherRun.js';
import { resultOf } from '../runs/runResult.js';
import type { Run, RunService } from '../services.js';
import { trusted } from '../trustedActions.js';
import type { FileWatch } from './fileWatch.js';
import { trainedContent, trainingFile } from './trainedContent.js';

/** Saves come in bursts; a run starts after this long without one. */
const QUIET_MS = 3_000;

/** What decides, of each run of a chain, whether the chain continues. */
export interface ChainLink {
  phase: RunPhase;
  alive: boolean;
  /** Hash of the file that it was trained on; null if it never read the file. */
  content: string | null;
  continues: boolean;
}

/**
 * The run to continue training from, now that the file has the hash `content`; null: start none.
 * @param chain latest first; the latest decides whether the chain continues at all
 */
export function linkToContinue<T extends ChainLink>(chain: readonly T[], content: string): T | null {
  const [latest] = chain;
  if (!latest?.continues || latest.phase === 'stopped') return null;
  // A detached one goes on, too, and ends once it is followed again.
  const goesOn = ({ alive, phase }: T) => alive || phase === 'detached';
  if (chain.some(link => goesOn(link) || link.content === content)) return null;
  return chain.find(link => link.phase === 'completed' && link.content !== null) ?? null;
}

export interface ContinuedRunsOptions {
  runs: Pick<RunService, 'runs' | 'onDidChange' | 'onDidEnd'>;
  files: Pick<FileWatch, 'add'>;
  /** SHA-256 of a file; null if it doesn't exist. */
  hash(path: string): Promise<string | null>;
  /** Whether the workspace is trusted. */
  isTrusted(): boolean;
  /** The file has unsaved edits, which will be saved as well. */
  isDirty(path: string): boolean;
  /** Starts a run in the workspace folder of `beside`. */
  start(runFile: object, beside: Run): Promise<unknown>;
  log(message: string): void;
  /** A run could not be started. */
  onFault(path: string, error: Error): void;
}

export class ContinuedRuns {
  private readonly watched = new Map<string, () => void>();
  private readonly waiting = new Map<string, NodeJS.Timeout>();
  private readonly subscriptions: { dispose(): unknown }[];

  constructor(private readonly options: ContinuedRunsOptions) {
    const { runs } = options;
    this.subscriptions = [
      runs.onDidChange(() => this.watch()),
      // The file may have been edited during training.
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
    const { isDirty, onFault } = this.options;
    clearTimeout(this.waiting.get(path));
    const timer = setTimeout(() => {
      this.waiting.delete(path);
      if (isDirty(path)) return this.considerSoon(path);
      this.consider(path).catch((error: Error) => onFault(path, error));
    }, QUIET_MS);
    this.waiting.set(path, timer);
  }

  private async consider(path: string): Promise<void> {
    const { runs, hash, isTrusted } = this.options;
    const content = await hash(path);
    if (content === null || !isTrusted()) return;
    const chains = new Map<string, (ChainLink & { run: Run })[]>();
    for (const run of runs.runs().filter(each => trainingFile(each) === path)) {
      const { alive } = run;
      const phase = runPhase(run.glance(), alive, run.detached);
      const link = { run, alive, phase, content: trainedContent(run), continues: continues(run) };
      const name = chainName(run.name);
      chains.set(name, [...(chains.get(name) ?? []), link]);
    }
    for (const chain of chains.values()) {
      const link = linkToContinue(chain, content);
      const result = link && resultOf(link.run);
      if (result) await this.continueFrom(link.run, result, content);
    }
  }

  private async continueFrom(run: Run, result: string, content: string): Promise<void> {
    const { runs, start, log } = this.options;
    const claim = join(run.folder, `continued-${content.slice(0, 16)}.json`);
    if (!claimed(claim, content)) return;
    const taken = runs.runs().map(each => each.name);
    const name = furtherName(run.name, taken);
    log(`${trainingFile(run)} has changed: ${name} continues training from ${result}`);
    try {
      await start(furtherRunFile(run, result, name), run);
    } catch (error) {
      trusted.removeFile(claim);
      throw error;
    }
  }
}

function continues(run: Run): boolean {
  const { dataset } = run.config as { dataset?: { on_change?: unknown } };
  return dataset?.on_change === 'continue' && trainingFile(run) !== null;
}

/**
 * Creates a file that only one window can create. It is kept, so that a failed run isn't repeated on the same content.
 */
function claimed(path: string, content: string): boolean {
  try {
    trusted.createText(path, `${JSON.stringify({ dataset_hash: content })}\n`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
