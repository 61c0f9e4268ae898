// How long-running work reports progress and warnings. The command line displays them; a run writes its warnings as events.
export interface Reporter {
  /** `total` null: unknown. `message`: such as a file name. */
  progress(phase: string, done: number, total: number | null, message?: string): void;
  warn(code: string, message: string): void;
}

export const silentReporter: Reporter = { progress: () => {}, warn: () => {} };
