// Sends at most every so often, and always what is newest in the end: the last change is never dropped.

/** Calls `send` at once, then at most every `intervalMs` as long as `request` is called. */
export class LatestWins {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private waiting = false;

  constructor(
    private readonly send: () => void,
    private readonly intervalMs: number,
  ) {}

  request(): void {
    this.waiting = true;
    if (this.timer === null) this.fire();
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.waiting = false;
  }

  private fire(): void {
    this.waiting = false;
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.waiting) this.fire();
    }, this.intervalMs);
    this.send();
  }
}
