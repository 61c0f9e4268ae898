// How often, and after which pauses, a failed request is repeated. Used for all requests to the package index.
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError } from './sourceError.js';

export interface RetryPolicy {
  /** Failures in a row before giving up. */
  maxFailures: number;
  /** Before the second attempt; doubled for each further one. */
  firstPauseMs: number;
}

/** For a host that has not responded yet: the user should learn soon that it is not available. */
export const FIRST_ANSWER: RetryPolicy = { maxFailures: 2, firstPauseMs: 500 };

/** For a transfer that has begun: half a minute in total, enough for a network to recover. */
export const BROKEN_CONNECTION: RetryPolicy = { maxFailures: 8, firstPauseMs: 250 };

/** Waits until the next attempt; throws `error` if another attempt is useless or this was the last one. */
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
