// The engine as a long-running process: JSON-RPC on two streams, with concurrent requests. Used by `tunewright resident` (requests.ts)
// and `tunewright session` (sessionRequests.ts). It ends with its input, so it never outlives the process that started it.
import type { Readable, Writable } from 'node:stream';
import {
  createMessageConnection,
  ProgressType,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type CancellationToken,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import * as z from 'zod';
import { CodedError, errorRecord } from '../../core/codedError.js';
import type { EngineError } from '../../protocol/engineError.js';
import type { RequestType } from '../../protocol/messageTypes.js';
import { ENGINE_ERROR, progressTokenSchema, type Progress } from '../../protocol/residentMessages.js';
import { silentReporter, type Reporter } from '../run/reporter.js';

export interface RequestContext<V> {
  signal: AbortSignal;
  /** Sends progress, if the request wants it. */
  report(value: V): void;
}

/** A type of requests with what answers them. */
export interface ServedRequest {
  type: RequestType<any, any>;
  /** @param params validated by the type's schema */
  handle(params: any, context: RequestContext<any>): Promise<unknown>;
}

export function answering<P, V>(
  type: RequestType<P, unknown, V>,
  handle: (params: P, context: RequestContext<V>) => Promise<unknown>,
): ServedRequest {
  return { type, handle };
}

/** The progress of work as that of a request. */
export function reporterOf(report: (value: Progress) => void): Reporter {
  return {
    ...silentReporter,
    progress: (phase, done, total, message = '') => report({ phase, done, total, message }),
  };
}

/**
 * Resolves when `input` ends; pending requests are then cancelled.
 * @throws Error if a message can't be read or written
 * @param fault called for faults that can't be reported to the other end: a broken stream, an invalid message
 */
export async function serveResident(
  input: Readable,
  output: Writable,
  requests: readonly ServedRequest[],
  fault: (text: string) => void,
): Promise<void> {
  const connection = createMessageConnection(new StreamMessageReader(input), new StreamMessageWriter(output), {
    error: fault,
    warn: fault,
    info: () => {},
    log: () => {},
  });
  const closed = new AbortController();
  for (const request of requests)
    connection.onRequest(request.type.name, (...args: unknown[]) => {
      // The library spreads positional params and leaves missing ones out; the schema refuses both.
      const token = args.pop() as CancellationToken;
      const params = args.length === 1 ? args[0] : args;
      return answer(connection, request, params, AbortSignal.any([closed.signal, abortSignalOf(token)]));
    });
  connection.listen();
  try {
    await new Promise<void>((resolve, reject) => {
      connection.onClose(resolve);
      // After a header that can't be read, where the next message begins is unknown: only a new process helps.
      connection.onError(([error]) => reject(new Error(`the messages can't be read any more: ${error.message}`)));
    });
  } finally {
    closed.abort();
    connection.dispose();
  }
}

const progressType = new ProgressType<unknown>();

async function answer(
  connection: MessageConnection,
  { type, handle }: ServedRequest,
  raw: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    const { progressToken } = progressTokenSchema.parse(raw);
    const report = (value: unknown) => {
      if (progressToken === undefined) return;
      void connection.sendProgress(progressType, progressToken, type.progress.parse(value));
    };
    return await handle(type.params.parse(raw), { signal, report });
  } catch (error) {
    const record = recordOf(error);
    return new ResponseError<EngineError>(ENGINE_ERROR, record.message, record);
  }
}

/** Params that don't match their schema are the caller's fault. */
function recordOf(error: unknown): EngineError {
  if (!(error instanceof z.ZodError)) return errorRecord(error);
  const [{ path, message }] = error.issues as [z.core.$ZodIssue];
  const key = path.join('.');
  return new CodedError('bad_usage', `params: ${message}`, key ? { key } : {}).record();
}

function abortSignalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  else token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}
