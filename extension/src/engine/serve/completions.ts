// Answers a request for completions: all its choices at once, as one JSON object or as server-sent events. If one choice fails or
// the client goes away, the others are cancelled, which frees their slots.
import { setMaxListeners } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { GenerationAnswer, GenerationInput, Mixture, Piece } from '../../protocol/sessionMessages.js';
import type { Session } from '../generation/session.js';
import { chunk, droppedTurns, envelope, usageOf, wholeAnswer, type AnswerShape } from './answers.js';
import { apiError } from './apiError.js';
import { EventStream } from './eventStream.js';
import type { Metrics } from './metrics.js';
import { MAX_ANSWERS, type ParsedRequest } from './requests.js';
import type { Slots } from './slots.js';

export interface CompletionContext {
  session: Pick<Session, 'generate'>;
  slots: Slots;
  metrics: Metrics;
  /** Answers under way; aborted when the server's time is up. */
  open: Set<AbortController>;
  stallMs: number;
  /** Called with faults of the program. */
  onFault: (error: unknown) => void;
}

interface Calls {
  onBegin?(index: number): void;
  onPiece?(index: number, piece: Piece): void;
  onEnd?(index: number, answer: GenerationAnswer): void;
}

/**
 * @param outgoing the response, which is closed early if the client goes away
 * @throws ApiError, InputError if an answer fails before its first token
 */
export async function complete(
  context: CompletionContext,
  request: ParsedRequest,
  { adapters, shape, outgoing }: { adapters: Mixture; shape: AnswerShape; outgoing: ServerResponse },
): Promise<Response> {
  const stop = new AbortController();
  // Each answer that waits listens.
  setMaxListeners(MAX_ANSWERS + 1, stop.signal);
  context.open.add(stop);
  const leave = () => stop.abort();
  outgoing.once('close', leave);
  const all = (calls: Calls = {}) =>
    allAnswers(
      context,
      request.inputs.map(input => ({ ...input, adapters })),
      stop,
      calls,
    ).finally(() => {
      outgoing.off('close', leave);
      context.open.delete(stop);
    });
  const about = envelope(shape, request.model);
  if (!request.stream) return Response.json(wholeAnswer(shape, about, await all(), request.n));

  const events = new EventStream(() => {
    stop.abort();
    outgoing.destroy();
  }, context.stallMs);
  const noUsage = request.includeUsage ? null : undefined;
  const send = (choices: readonly object[]) => {
    for (const choice of choices) events.send(chunk(shape, about, [choice], noUsage));
  };
  const streams = request.inputs.map((_, i) => shape.stream(i));
  // Nothing is sent before the first token, so that what fails before has its status.
  let begin = () => {};
  const begun = new Promise<void>(resolve => (begin = resolve));
  const answers = all({
    onBegin: i => send(streams[i]!.begin()),
    onPiece: (i, piece) => {
      send(streams[i]!.piece(piece));
      begin();
    },
    onEnd: (i, answer) => {
      send(streams[i]!.end(answer));
      begin();
    },
  });
  await Promise.race([begun, answers]);
  answers.then(
    done => {
      const usage = request.includeUsage ? usageOf(done, request.n) : undefined;
      const extra = droppedTurns(done);
      if (usage || Object.keys(extra).length > 0) events.send({ ...chunk(shape, about, [], usage), ...extra });
      events.end();
    },
    (error: unknown) => {
      const shown = apiError(error);
      if (shown.status === 500) context.onFault(error);
      events.send(shown.body);
      events.end();
    },
  );
  return new Response(events.body, {
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache',
      'X-Accel-Buffering': 'no',
    },
  });
}

/** The first error cancels the others. */
async function allAnswers(
  { session, slots, metrics }: CompletionContext,
  inputs: readonly GenerationInput[],
  stop: AbortController,
  { onBegin, onPiece, onEnd }: Calls,
): Promise<GenerationAnswer[]> {
  const works = inputs.map((input, i) => async () => {
    onBegin?.(i);
    const answer = await session.generate(input, {
      signal: stop.signal,
      ...(onPiece && { onPiece: (piece: Piece) => onPiece(i, piece) }),
    });
    metrics.countAnswer(answer);
    onEnd?.(i, answer);
    return answer;
  });
  const running = slots.run(works, stop.signal);
  try {
    return await Promise.all(running);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(running);
    throw error;
  }
}
