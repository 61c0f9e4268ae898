// Limits how often something is sent, without ever dropping the latest change.

/** Calls `send` immediately on the first `request`, then at most every `intervalMs` while there are requests. */
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
