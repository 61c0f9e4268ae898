// What the engine prints with --json --progress: lines of progress and warnings, and the answer last. Imports no vscode, so that tests can
// run what reads it.

interface ProgressLine {
  type: 'progress';
  phase: string;
  done: number;
  total: number | null;
}

/** The answer has no type. */
export type EngineLine =
  ProgressLine | { type: 'warning'; message: string } | (Record<string, unknown> & { type?: undefined });

/** 0 to 1; null: unknown. */
export function shareOf({ done, total }: ProgressLine): number | null {
  return total ? done / total : null;
}
