// A body of server-sent events. What the client has not read yet is kept (it is no longer than the answer); a client that reads
// nothing for a while counts as gone.

export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  private readonly encoder = new TextEncoder();
  private readonly timer: NodeJS.Timeout;
  private sent = 0;
  private readBefore = 0;
  private closed = false;

  /**
   * @param onGone called once if the client goes away before the end
   * @param stallMs after which a client that reads nothing counts as gone
   */
  constructor(
    private readonly onGone: () => void,
    stallMs: number,
  ) {
    this.body = new ReadableStream(
      {
        start: controller => {
          this.controller = controller;
        },
        cancel: () => this.leave(),
      },
      { highWaterMark: 0 },
    );
    this.timer = setInterval(() => this.checkReader(), stallMs);
    this.timer.unref();
  }

  send(data: unknown): void {
    this.write(`data: ${JSON.stringify(data)}\n\n`);
  }

  /** Ends the stream; the client still gets what it has not read. */
  end(): void {
    if (this.closed) return;
    this.write('data: [DONE]\n\n');
    this.closed = true;
    this.controller.close();
  }

  private write(text: string): void {
    if (this.closed) return;
    this.controller.enqueue(this.encoder.encode(text));
    this.sent++;
  }

  private checkReader(): void {
    const unread = -(this.controller.desiredSize ?? 0);
    if (this.closed && unread === 0) return clearInterval(this.timer);
    const read = this.sent - unread;
    if (unread > 0 && read === this.readBefore) this.leave();
    this.readBefore = read;
  }

  private leave(): void {
    clearInterval(this.timer);
    this.closed = true;
    this.onGone();
  }
}
