// The figures of a race from the states of its runs: of each run, of each entry over its seeds, the Pareto front, and the entry to
// choose under limits. Pure, so that the command line and the editor say the same of a race folder.
import type { EngineError } from '../../protocol/engineError.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import type { RaceResult } from '../../protocol/raceConfig.js';
import type { FolderFigures } from '../../protocol/raceMessages.js';
import { describeError } from '../codedError.js';
import { keptEvaluation } from '../runs/keptEvaluation.js';
import type { RunState } from '../runs/runState.js';

/** One run of a race, as far as it has got. */
export interface RunFigures extends RaceResult, FolderFigures {}

/** What is known of a run folder. */
export interface EntryRun {
  /** null if the run has not begun. */
  state: RunState | null;
  /** Whether a process trains in it. */
  alive: boolean;
  config: Pick<RunConfig, 'training' | 'method'> | null;
  /** The mean score of its result over the rows of the suites; null if they weren't answered. */
  score: number | null;
}

/** @param run path of the run folder, as it is reported */
export function folderFigures(run: string, { state, alive, config, score }: EntryRun): FolderFigures {
  const status = state ? statusOf(state, alive) : alive ? 'running' : 'waiting';
  const completed = status === 'finished' ? state!.completed : null;
  const kept = completed && config ? keptEvaluation(config.training, state!) : undefined;
  return {
    run,
    status,
    peft_type: state?.started?.peft_type ?? config?.method.peft_type ?? null,
    trainable_parameters: state?.started?.trainable_parameters ?? null,
    total_parameters: state?.started?.total_parameters ?? null,
    validation_loss: kept?.['loss'] ?? null,
    score: completed ? score : null,
    // The process of a resumed run knows nothing of the one before it.
    peak_rss_bytes:
      completed &&
      state!.steps.column('rss_bytes').reduce((peak, rss) => Math.max(peak, rss), completed.peak_rss_bytes),
    train_seconds: completed && completed.train_seconds,
    kl_from_base: kept?.['kl_from_base'] ?? null,
    general_loss: kept?.['general_loss'] ?? null,
    steps: state?.steps.row(state.steps.length - 1)?.step ?? null,
    failure: status === 'failed' ? failureText(state!.failed!) : null,
  };
}

/** On one line, for tables: what happened, and what to change. */
function failureText({ message, hint }: Pick<EngineError, 'message' | 'hint'>): string {
  return describeError({ message, hint }).replace(/\s*\n\s*/g, ' ');
}

/** A run that was stopped has a result, but not the one that was asked for: it is continued. */
function statusOf(state: RunState, alive: boolean): RaceResult['status'] {
  if (alive) return 'running';
  if (state.status === 'completed') return 'finished';
  return state.failed && state.failed.code !== 'cancelled' ? 'failed' : 'interrupted';
}

/** Of values over seeds. */
export interface Spread {
  mean: number;
  min: number;
  max: number;
  /** Standard deviation of a sample, with n - 1: sqrt(sum((x - mean)^2) / (n - 1)); null for a single value. */
  std: number | null;
  /** Number of values. */
  n: number;
}

/** null for no values. */
export function spreadOf(values: readonly number[]): Spread | null {
  const n = values.length;
  if (n === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    min: Math.min(...values),
    max: Math.max(...values),
    std: n === 1 ? null : Math.sqrt(squares / (n - 1)),
    n,
  };
}

/** An entry over its seeds. Spreads are of the runs that finished; null if none of them has the figure. */
export interface EntryFigures {
  name: string;
  peftType: string | null;
  /** Of all seeds. */
  runs: readonly RunFigures[];
  finished: number;
  parameters: Spread | null;
  loss: Spread | null;
  score: Spread | null;
  memoryBytes: Spread | null;
  seconds: Spread | null;
  /** KL divergence from the base and loss on general text. */
  divergence: Spread | null;
  generalLoss: Spread | null;
}

/** In the order of the race file. */
export function entryFigures(runs: readonly RunFigures[]): EntryFigures[] {
  return [...new Set(runs.map(run => run.name))].map(name => {
    const own = runs.filter(run => run.name === name);
    const finished = own.filter(run => run.status === 'finished');
    const spread = (of: (run: RunFigures) => number | null) => {
      const values = finished.map(of);
      // A mean of some seeds would be compared with means of all.
      return values.includes(null) ? null : spreadOf(values as number[]);
    };
    return {
      name,
      peftType: own.find(run => run.peft_type !== null)?.peft_type ?? null,
      runs: own,
      finished: finished.length,
      parameters: spread(run => run.trainable_parameters),
      loss: spread(run => run.validation_loss),
      score: spread(run => run.score),
      memoryBytes: spread(run => run.peak_rss_bytes),
      seconds: spread(run => run.train_seconds),
      divergence: spread(run => run.kl_from_base),
      generalLoss: spread(run => run.general_loss),
    };
  });
}

export const COSTS = ['parameters', 'memoryBytes', 'seconds'] as const;
export type Cost = (typeof COSTS)[number];
export type Quality = 'loss' | 'score';

/**
 * The entries that no other one beats: none is at least as good at the same or a lower cost, and better in one of the two. By means
 * over seeds; entries without the figures are left out.
 */
export function paretoFront(entries: readonly EntryFigures[], quality: Quality, cost: Cost): EntryFigures[] {
  const points = entries.flatMap(entry => {
    const [good, price] = [entry[quality], entry[cost]];
    return good && price ? [{ entry, bad: quality === 'loss' ? good.mean : -good.mean, price: price.mean }] : [];
  });
  return points
    .filter(
      ({ bad, price }) =>
        !points.some(other => other.bad <= bad && other.price <= price && (other.bad < bad || other.price < price)),
    )
    .map(({ entry }) => entry);
}

/** What an entry may take at most, with any of its seeds. */
export interface RaceLimits {
  memoryBytes: number | null;
  seconds: number | null;
}

/** An entry that can be chosen. */
type Measured = EntryFigures & { parameters: Spread; loss: Spread };

export interface Choice {
  chosen: Measured;
  /** By the score if every entry within the limits has one, else by the loss. */
  by: Quality;
  /** Entries with fewer trained parameters whose seeds reach into the range of the chosen one's: no difference is shown. */
  asGood: Measured[];
}

/** The best entry within the limits; null if there is none. */
export function chooseEntry(entries: readonly EntryFigures[], limits: RaceLimits): Choice | null {
  const fits = (limit: number | null, spread: Spread | null) =>
    limit === null || (spread !== null && spread.max <= limit);
  const allowed = entries.filter(
    (entry): entry is Measured =>
      entry.loss !== null &&
      entry.parameters !== null &&
      fits(limits.memoryBytes, entry.memoryBytes) &&
      fits(limits.seconds, entry.seconds),
  );
  if (allowed.length === 0) return null;
  const by: Quality = allowed.every(({ score }) => score !== null) ? 'score' : 'loss';
  const bad = (entry: Measured) => (by === 'loss' ? entry.loss.mean : -entry.score!.mean);
  const chosen = allowed.reduce((best, entry) => (bad(entry) < bad(best) ? entry : best));
  const asGood = allowed.filter(
    entry => entry !== chosen && entry.parameters.mean < chosen.parameters.mean && overlap(entry[by]!, chosen[by]!),
  );
  return { chosen, by, asGood };
}

/** Of one value each, only equal ones do. */
function overlap(a: Spread, b: Spread): boolean {
  return a.min <= b.max && b.min <= a.max;
}

/** `1GB`, `800 MB`, `10 min`, `30s`. @returns null if it is none */
export function parseLimit(text: string): Partial<RaceLimits> | null {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(GB|MB|h|min|s)\s*$/i.exec(text) ?? [];
  if (number === undefined) return null;
  const factor = { gb: 1e9, mb: 1e6, h: 3600, min: 60, s: 1 }[unit!.toLowerCase()]!;
  return /b$/i.test(unit!) ? { memoryBytes: Number(number) * factor } : { seconds: Number(number) * factor };
}
