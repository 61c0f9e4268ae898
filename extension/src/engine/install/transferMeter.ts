// Measures a stream of bytes and reports progress and speed a few times a second. Used for downloading and unpacking.
import type { InstallProgress } from './progress.js';

const REPORT_EVERY_MS = 250;
/** Period over which the speed is measured: long enough to be stable, short enough to show a connection that slows down. */
const WINDOW_MS = 3000;

export class TransferMeter {
  private done = 0;
  private readonly samples: { ms: number; done: number }[] = [];

  /** @param total bytes; null if not known yet */
  constructor(
    private readonly progress: { phase: string; message: string },
    private total: number | null,
    private readonly onProgress: (progress: InstallProgress) => void,
  ) {}

  expect(total: number): void {
    this.total = total;
  }

  /** Passes the chunks through. Reports at regular intervals, so that a stalled connection is visible. */
  async *count(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    this.report();
    const timer = setInterval(() => this.report(), REPORT_EVERY_MS);
    try {
      for await (const chunk of source) {
        this.done += chunk.length;
        yield chunk;
      }
    } finally {
      clearInterval(timer);
    }
    this.total ??= this.done;
    this.report();
  }

  private report(): void {
    const now = performance.now();
    this.samples.push({ ms: now, done: this.done });
    while (this.samples.length > 2 && now - this.samples[0].ms > WINDOW_MS) this.samples.shift();
    const [{ ms, done }] = this.samples;
    const speed = now > ms ? { bytes_per_second: Math.round(((this.done - done) / (now - ms)) * 1000) } : {};
    this.onProgress({ ...this.progress, done: this.done, total: this.total, ...speed });
  }
}
