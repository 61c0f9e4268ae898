// How long-running work reports progress and warnings. The command line displays them; a run writes its warnings as events.
import type { LoadingProgress } from '../data/loadDataset.js';

export interface Reporter {
  /** `total` null: unknown. `message`: such as a file name. */
  progress(phase: string, done: number, total: number | null, message?: string): void;
  warn(code: string, message: string): void;
}

/** The progress of `loadDataset`. */
export function reportLoading(reporter: Reporter, { share, rows, excluded }: LoadingProgress): void {
  const message = excluded === 0 ? `${rows} rows` : `${rows} rows, ${excluded} excluded`;
  reporter.progress('tokenize', Math.round(share * 1000), 1000, message);
}

export const silentReporter: Reporter = { progress: () => {}, warn: () => {} };
