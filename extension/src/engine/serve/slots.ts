// How many answers are decoded at once and how many may wait. A request beyond that is refused at once, with the time after which
// it may be tried again. A request that is cancelled while it waits leaves the queue.
import { CancelledError } from '../../core/codedError.js';
import { ApiError } from './apiError.js';

const MAX_RETRY_SECONDS = 60;

interface Waiting {
  begin: () => void;
}

export class Slots {
  private running = 0;
  private queue: Waiting[] = [];
  /** Of recent answers. */
  private meanSeconds = 1;

  constructor(
    private readonly maxRunning: number,
    private readonly maxWaiting: number,
  ) {}

  get counts(): { running: number; waiting: number } {
    return { running: this.running, waiting: this.queue.length };
  }

  /**
   * Runs the answers of one request as slots become free: all of them, or none.
   * @throws ApiError 429 if not all of them may wait
   */
  run<T>(answers: readonly (() => Promise<T>)[], signal: AbortSignal): Promise<T>[] {
    const open = this.running + this.queue.length;
    if (open + answers.length > this.maxRunning + this.maxWaiting) {
      const seconds = Math.ceil((this.meanSeconds * open) / this.maxRunning);
      throw new ApiError(429, `The server has ${open} answers to give already; try again later.`, {
        code: 'rate_limit_exceeded',
        headers: { 'Retry-After': String(Math.min(MAX_RETRY_SECONDS, Math.max(1, seconds))) },
      });
    }
    return answers.map(answer => this.runOne(answer, signal));
  }

  private async runOne<T>(answer: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.running < this.maxRunning) this.running++;
    else await this.turn(signal);
    const began = performance.now();
    try {
      return await answer();
    } finally {
      this.meanSeconds = 0.8 * this.meanSeconds + 0.2 * ((performance.now() - began) / 1000);
      const next = this.queue.shift();
      if (next) next.begin();
      else this.running--;
    }
  }

  /** Waits for a slot, which is then this answer's. */
  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.queue = this.queue.filter(other => other !== waiting);
        reject(new CancelledError());
      };
      const waiting: Waiting = {
        begin: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      if (signal.aborted) return reject(new CancelledError());
      signal.addEventListener('abort', leave, { once: true });
      this.queue.push(waiting);
    });
  }
}
