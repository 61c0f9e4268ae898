// The engine as a long-running process: JSON-RPC on two streams, with concurrent requests. Started by `tunewright resident`, with
// the requests of requests.ts, and by `tunewright session`, with those of sessionRequests.ts. It ends with its input, so it never
// outlives the process that started it.
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
import { ENGINE_ERROR, progressSchema, progressTokenSchema, type Progress } from '../../protocol/residentMessages.js';
import type { Piece } from '../../protocol/sessionMessages.js';
import type { ResidentRequest } from './requests.js';

/**
 * Resolves when `input` ends; pending requests are then cancelled.
 * @throws Error if a message can't be read or written
 * @param fault called for faults that can't be reported to the other end: a broken stream, an invalid message
 */
export async function serveResident(
  input: Readable,
  output: Writable,
  requests: readonly ResidentRequest[],
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

const progressType = new ProgressType<Progress>();
const pieceType = new ProgressType<Piece>();

async function answer(
  connection: MessageConnection,
  { type, handle }: ResidentRequest,
  raw: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    const { progressToken } = progressTokenSchema.parse(raw);
    const progress = (phase: string, done: number, total: number | null, message = '') => {
      if (progressToken === undefined) return;
      void connection.sendProgress(progressType, progressToken, progressSchema.parse({ phase, done, total, message }));
    };
    const piece = (value: Piece) => {
      if (progressToken !== undefined) void connection.sendProgress(pieceType, progressToken, value);
    };
    return await handle(type.params.parse(raw), { signal, progress, piece });
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
