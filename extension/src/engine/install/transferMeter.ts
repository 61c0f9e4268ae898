// Turns bytes that go by into progress with a speed, a few times a second. Called by whatever downloads or unpacks by itself.
import type { InstallProgress } from './progress.js';

const REPORT_EVERY_MS = 250;
/** The speed is that of the last seconds: long enough to be read, short enough to show a connection that slows down. */
const WINDOW_MS = 3000;

export class TransferMeter {
  private done = 0;
  private readonly samples: { ms: number; done: number }[] = [];

  /** @param total bytes, or null as long as they aren't known */
  constructor(
    private readonly progress: { phase: string; message: string },
    private total: number | null,
    private readonly onProgress: (progress: InstallProgress) => void,
  ) {}

  expect(total: number): void {
    this.total = total;
  }

  /** Passes on what it counts. Reports by the clock, so that a connection that gives nothing is seen too. */
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
