// Message descriptors, independent of the transport: a name and schemas. Both ends share them and validate what they receive: a
// webview and the host (webviewChannel.ts), the host and the resident engine (residentMessages.ts).
import * as z from 'zod';

/** A message without a response. */
export interface NotificationType<P> {
  readonly kind: 'notification';
  readonly name: string;
  readonly params: z.ZodType<P>;
}

/** A message with one response. */
export interface RequestType<P, R> {
  readonly kind: 'request';
  readonly name: string;
  readonly params: z.ZodType<P>;
  readonly result: z.ZodType<R>;
}

export function notificationType<P>(name: string, params: z.ZodType<P>): NotificationType<P> {
  return { kind: 'notification', name, params };
}

export function requestType<P, R>(name: string, params: z.ZodType<P>, result: z.ZodType<R>): RequestType<P, R> {
  return { kind: 'request', name, params, result };
}

/** Params or result of a message that has none. */
export const nothing = z.undefined();
