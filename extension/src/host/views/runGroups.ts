// The groups of the Runs view: what they are called, and that two files of one name in two folders are two groups. Pure.
import { basename, dirname } from 'node:path';

export type RunGrouping = 'none' | 'dataset' | 'model' | 'status';

export interface RunGroup<R> {
  /** Tells it from all others. */
  key: string;
  title: string;
  /** Where two groups have one title: what tells them apart. */
  detail: string;
  runs: readonly R[];
}

/** @param keyOf what the members of a group have in common: a path, an id, a status */
export function groupRuns<R>(runs: readonly R[], keyOf: (run: R) => string): RunGroup<R>[] {
  const byKey = new Map<string, R[]>();
  for (const run of runs) byKey.set(keyOf(run), [...(byKey.get(keyOf(run)) ?? []), run]);
  const titles = [...byKey.keys()].map(titleOf);
  return [...byKey].map(([key, members], i) => {
    const title = titles[i]!;
    const isShared = titles.filter(each => each === title).length > 1;
    return { key, title, detail: isShared ? dirname(key) : '', runs: members };
  });
}

function titleOf(key: string): string {
  return basename(key) || 'unknown';
}
