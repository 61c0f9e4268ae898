// The groups of the Runs view and their titles. Files of the same name in different folders are different groups. Pure.
import { basename, dirname } from 'node:path';

export type RunGrouping = 'none' | 'dataset' | 'model' | 'status';

export interface RunGroup<R> {
  /** Unique among the groups. */
  key: string;
  title: string;
  /** Distinguishes groups with the same title, else empty. */
  detail: string;
  runs: readonly R[];
}

/** @param keyOf what the members of a group have in common: a path, an ID, a status */
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
