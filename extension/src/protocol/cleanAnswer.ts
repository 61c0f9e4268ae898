// The answer of `clean --json`: what can be deleted of what this program has written.

/** Kinds of it, in the order in which they are listed. */
export const CLEANED = ['engines', 'caches', 'checkpoints', 'models', 'runs'] as const;
export type Cleaned = (typeof CLEANED)[number];

export interface Deletable {
  kind: Cleaned;
  /** A file or folder. */
  path: string;
  bytes: number;
  /** What it is, and what its loss means. */
  about: string;
  /** The run folder that it belongs to; null for others. */
  run: string | null;
}

export interface CleanAnswer {
  type: 'cleaned';
  items: Deletable[];
  /** Of all items; a checkpoint of a listed run counts once. */
  bytes: number;
  deleted: boolean;
}
