// Follows the log of a job until its last message, over broken connections: each new one gets the log from its beginning again.
import { setTimeout } from 'node:timers/promises';
import { CodedError } from '../../core/codedError.js';
import type { ClusterClient, JobStatus } from './clusterClient.js';
import { LAST_MESSAGES, messageIn, PREFIX, type JobMessage } from './jobMessages.js';

export interface JobLogOptions {
  /**
   * Called for each message once, one after the other.
   * @param latest number of the last message that has come, of those that wait for this one
   */
  onMessage(message: JobMessage, latest: () => number): Promise<void> | void;
  /** Lines for people. */
  onLine(line: string): void;
  /** The cluster can't be reached for now, or can again. */
  onConnection(reached: boolean, error: Error | null): void;
  /** Ends following; the job goes on. */
  signal: AbortSignal;
}

/** A line with a piece of a file has 64 KiB. */
const MAX_LINE_LENGTH = 1 << 22;
const MAX_WAIT_MS = 15_000;
/** A log may come without its end if the connection breaks just then. */
const ENDED_TRIES = 3;
/** Time for the cluster to be reached again, before the run is given up here; it goes on there. */
export const UNREACHABLE_MS = 15 * 60_000;

/**
 * @returns the last message; null: the job ended without one
 * @throws CodedError if the cluster doesn't know the job any more, or can't be reached for a long time
 */
export async function followJob(
  client: ClusterClient,
  job: string,
  options: JobLogOptions,
): Promise<{ last: JobMessage | null; status: JobStatus | null }> {
  const { signal } = options;
  const failing = new AbortController();
  const reader = new LogReader(options, () => failing.abort());
  const ending = AbortSignal.any([signal, failing.signal]);
  let unreachableSince: number | null = null;
  let wait = 250;
  for (let ended = 0; ;) {
    const before = reader.messages;
    reader.begin();
    await client
      .followLog(job, text => reader.add(text), ending)
      .catch(error => {
        if (!ending.aborted) throw error;
      });
    if (reader.messages > before && unreachableSince !== null) {
      options.onConnection(true, null);
      unreachableSince = null;
    }
    await reader.settled();
    if (reader.last !== null) return { last: reader.last, status: null };
    signal.throwIfAborted();
    try {
      const status = await client.status(job);
      if (unreachableSince !== null) options.onConnection(true, null);
      unreachableSince = null;
      if (status === null)
        throw new JobLostError('the cluster doesn’t know the job any more: its head was restarted', {
          hint: 'Resume the run from its last checkpoint: --resume.',
        });
      if (!['PENDING', 'RUNNING'].includes(status.status) && ++ended === ENDED_TRIES) return { last: null, status };
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'unreachable') throw error;
      if (unreachableSince === null) options.onConnection(false, error);
      unreachableSince ??= performance.now();
      if (performance.now() - unreachableSince > UNREACHABLE_MS) throw error;
    }
    wait = reader.messages > before ? 250 : Math.min(MAX_WAIT_MS, wait * 2);
    await setTimeout(wait, undefined, { signal });
  }
}

/** The cluster has forgotten the job. */
export class JobLostError extends CodedError {
  override readonly name = 'JobLostError';
  constructor(message: string, details: { hint: string }) {
    super('server_failed', message, details);
  }
}

class LogReader {
  /** Messages seen so far. */
  messages = 0;
  last: JobMessage | null = null;
  private rest = '';
  private lines = 0;
  private linesSeen = 0;
  private work: Promise<void> = Promise.resolve();
  private failed = false;

  constructor(
    private readonly options: JobLogOptions,
    /** Nothing more has to come: `settled` throws. */
    private readonly onFailure: () => void,
  ) {}

  /** The log comes from its beginning again. */
  begin(): void {
    this.rest = '';
    this.lines = 0;
  }

  add(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    if (this.rest.length > MAX_LINE_LENGTH)
      throw new CodedError('server_failed', 'the job’s log has a line without an end');
    for (const line of lines) this.take(line.replace(/\r$/, ''));
  }

  /** All that was added has been dealt with. @throws what `onMessage` threw */
  async settled(): Promise<void> {
    await this.work;
  }

  private take(line: string): void {
    this.lines++;
    if (!line.startsWith(PREFIX)) {
      if (this.lines <= this.linesSeen) return;
      this.linesSeen = this.lines;
      return this.options.onLine(line);
    }
    const message = messageIn(line);
    if (message === null || message.n < this.messages) return;
    this.messages = message.n + 1;
    this.work = this.work.then(() =>
      this.failed ? undefined : this.options.onMessage(message, () => this.messages - 1),
    );
    this.work.catch(() => {
      this.failed = true;
      this.onFailure();
    });
    if (LAST_MESSAGES.includes(message.type)) this.last ??= message;
  }
}
