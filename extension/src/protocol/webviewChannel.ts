// The only connection between the extension host and a webview. Both ends have a WebviewChannel over their own port and share
// message descriptors (protocol/*Messages.ts). Incoming messages are validated; a request always settles: with its reply, an
// error reply, or the end of the channel. A hidden webview silently loses notifications, so state is sent as complete snapshots,
// never as differences.
import * as z from 'zod';
import type { NotificationType, RequestType } from './messageTypes.js';

/** The transport: a webview's `postMessage` on one side, `acquireVsCodeApi()` on the other. */
export interface ChannelPort {
  post(message: unknown): void;
  /** Calls `listener` with incoming messages until the returned function is called. */
  listen(listener: (message: unknown) => void): () => void;
}

/** The other end replied with an error; `message` can be shown to the user. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
}

/** The channel was closed before the reply arrived. */
export class ChannelClosedError extends Error {
  override readonly name = 'ChannelClosedError';
  constructor() {
    super('The view was closed before the reply arrived.');
  }
}

/** The content of a message. VS Code serializes it as JSON, which omits `undefined`. */
const carried = z.unknown().optional();

const envelopeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('notification'), name: z.string(), params: carried }),
  z.object({ kind: z.literal('request'), id: z.int(), name: z.string(), params: carried }),
  z.object({ kind: z.literal('result'), id: z.int(), result: carried }),
  z.object({ kind: z.literal('error'), id: z.int(), message: z.string() }),
]);
type Envelope = z.infer<typeof envelopeSchema>;

interface Pending {
  type: RequestType<any, any>;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type Handler = (params: any) => unknown;

export class WebviewChannel {
  private readonly handlers = new Map<
    string,
    { type: NotificationType<any> | RequestType<any, any>; handle: Handler }
  >();
  private readonly pending = new Map<number, Pending>();
  private readonly stopListening: () => void;
  private lastId = 0;
  private closed = false;

  /** @param onFault called for invalid messages and for notification handlers that throw */
  constructor(
    private readonly port: ChannelPort,
    private readonly onFault: (fault: string) => void,
  ) {
    this.stopListening = port.listen(message => void this.receive(message));
  }

  notify<P>(type: NotificationType<P>, params: P): void {
    if (!this.closed) this.send({ kind: 'notification', name: type.name, params });
  }

  /** @throws RemoteError if the other end replies with an error, ChannelClosedError if the channel is closed first */
  request<P, R>(type: RequestType<P, R>, params: P): Promise<R> {
    if (this.closed) return Promise.reject(new ChannelClosedError());
    const id = ++this.lastId;
    return new Promise<R>((resolve, reject) => {
      this.pending.set(id, { type, resolve: resolve as (result: unknown) => void, reject });
      this.send({ kind: 'request', id, name: type.name, params });
    });
  }

  /** One handler per message; errors thrown by the handler of a request are sent back as its error reply. */
  onNotification<P>(type: NotificationType<P>, handle: (params: P) => void): void {
    this.register(type, handle);
  }

  onRequest<P, R>(type: RequestType<P, R>, handle: (params: P) => R | Promise<R>): void {
    this.register(type, handle);
  }

  /** Closes the channel; pending requests are rejected. */
  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopListening();
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of waiting) reject(new ChannelClosedError());
  }

  private register(type: NotificationType<any> | RequestType<any, any>, handle: Handler): void {
    if (this.handlers.has(type.name)) throw new Error(`${type.name} has a handler already`);
    this.handlers.set(type.name, { type, handle });
  }

  private send(envelope: Envelope): void {
    this.port.post(envelope);
  }

  private async receive(message: unknown): Promise<void> {
    const parsed = envelopeSchema.safeParse(message);
    // Others share the port (the workbench, browser extensions); their messages are ignored.
    if (!parsed.success || this.closed) return;
    const envelope = parsed.data;
    if (envelope.kind === 'notification') return this.receiveNotification(envelope);
    if (envelope.kind === 'request') return this.receiveRequest(envelope);
    this.receiveReply(envelope);
  }

  private async receiveNotification({ name, params }: Envelope & { kind: 'notification' }): Promise<void> {
    const handler = this.handlers.get(name);
    if (handler?.type.kind !== 'notification') return this.onFault(`no handler for notification ${name}`);
    const parsed = handler.type.params.safeParse(params);
    if (!parsed.success) return this.onFault(`notification ${name}: ${z.prettifyError(parsed.error)}`);
    try {
      await handler.handle(parsed.data);
    } catch (error) {
      this.onFault(`notification ${name}: ${messageOf(error)}`);
    }
  }

  private async receiveRequest({ id, name, params }: Envelope & { kind: 'request' }): Promise<void> {
    const reply = (envelope: Envelope) => {
      if (!this.closed) this.send(envelope);
    };
    const handler = this.handlers.get(name);
    try {
      if (handler?.type.kind !== 'request') throw new Error(`no handler for request ${name}`);
      const parsed = handler.type.params.safeParse(params);
      if (!parsed.success) throw new Error(`request ${name}: ${z.prettifyError(parsed.error)}`);
      reply({ kind: 'result', id, result: await handler.handle(parsed.data) });
    } catch (error) {
      reply({ kind: 'error', id, message: messageOf(error) });
    }
  }

  private receiveReply(envelope: Envelope & { kind: 'result' | 'error' }): void {
    const waiting = this.pending.get(envelope.id);
    if (!waiting) return;
    this.pending.delete(envelope.id);
    if (envelope.kind === 'error') return waiting.reject(new RemoteError(envelope.message));
    const parsed = waiting.type.result.safeParse(envelope.result);
    if (parsed.success) waiting.resolve(parsed.data);
    else waiting.reject(new RemoteError(`answer to ${waiting.type.name}: ${z.prettifyError(parsed.error)}`));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
