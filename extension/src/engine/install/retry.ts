// How often and after which pauses a request that failed is made again. Called by all requests to the package index.
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError } from './sourceError.js';

export interface RetryPolicy {
  /** Failures in a row before giving up. */
  maxFailures: number;
  /** Before the second attempt; doubled with each further one. */
  firstPauseMs: number;
}

/** For a host that hasn't answered yet: a user who waits should soon hear that it doesn't. */
export const FIRST_ANSWER: RetryPolicy = { maxFailures: 2, firstPauseMs: 500 };

/** For a transfer that had begun: half a minute in all, as long as a network takes to come back. */
export const BROKEN_CONNECTION: RetryPolicy = { maxFailures: 8, firstPauseMs: 250 };

/** Waits until the next attempt; throws `error` itself where another one is of no use, or was the last. */
export async function waitAfterFailure(
  error: unknown,
  failures: number,
  { maxFailures, firstPauseMs }: RetryPolicy,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  if (!(error instanceof SourceError) || !error.transient || failures >= maxFailures) throw error;
  await sleep(firstPauseMs * 2 ** (failures - 1), undefined, { signal });
}
