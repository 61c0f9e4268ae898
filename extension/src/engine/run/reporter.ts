// How long work tells of itself: progress by phase, warnings by code. The command line draws it, a run writes warnings
// down as events.
export interface Reporter {
  /** `total` null: unknown. `message` says what, such as a file name. */
  progress(phase: string, done: number, total: number | null, message?: string): void;
  warn(code: string, message: string): void;
}

export const silentReporter: Reporter = { progress: () => {}, warn: () => {} };
