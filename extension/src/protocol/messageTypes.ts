// Message descriptors, independent of the transport: a name and schemas. Both ends share them and validate what they receive: a
// webview and the host (webviewChannel.ts), the host and the resident engine (residentMessages.ts).
import * as z from 'zod';

/** A message without a response. */
export interface NotificationType<P> {
  readonly kind: 'notification';
  readonly name: string;
  readonly params: z.ZodType<P>;
}

/** A message with one response. `V`: what is reported before it (`$/progress` in JSON-RPC). */
export interface RequestType<P, R, V = unknown> {
  readonly kind: 'request';
  readonly name: string;
  readonly params: z.ZodType<P>;
  readonly result: z.ZodType<R>;
  readonly progress: z.ZodType<V>;
}

export function notificationType<P>(name: string, params: z.ZodType<P>): NotificationType<P> {
  return { kind: 'notification', name, params };
}

/** @param progress by default nothing is reported */
export function requestType<P, R, V = never>(
  name: string,
  params: z.ZodType<P>,
  result: z.ZodType<R>,
  progress: z.ZodType<V> = z.never() as z.ZodType<any>,
): RequestType<P, R, V> {
  return { kind: 'request', name, params, result, progress };
}

/** Params or result of a message that has none. */
export const nothing = z.undefined();
