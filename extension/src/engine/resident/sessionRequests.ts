// The requests of a session (protocol/sessionMessages.ts), one entry each: one base in memory, which answers with the adapters that a
// request names. Served by `tunewright session`.
import { InputError } from '../../core/inputError.js';
import {
  answerSuiteRequest,
  countTokensRequest,
  generateRequest,
  loadAdapterRequest,
  memoryRequest,
  openRequest,
  scoreRequest,
  unloadAdapterRequest,
} from '../../protocol/sessionMessages.js';
import type { Session } from '../generation/session.js';
import { availableMemoryBytes, rssBytes } from '../machine/processMemory.js';
import { openLastingSession } from '../run/lastingSession.js';
import { testSuite } from '../run/suiteTest.js';
import { answering, reporterOf, type ServedRequest } from './residentEngine.js';

/** The part of a session that requests use. */
export type ServedSession = Pick<
  Session,
  'facts' | 'adapters' | 'loadFolder' | 'unload' | 'generate' | 'score' | 'countTokens' | 'memory' | 'dispose'
>;

export interface SessionRequests {
  requests: ServedRequest[];
  dispose(): void;
}

/**
 * @param warn gets warnings of the engine
 * @param openModel for tests
 */
export function sessionRequests(
  warn: (message: string) => void,
  openModel: (...args: Parameters<typeof openLastingSession>) => Promise<ServedSession> = openLastingSession,
): SessionRequests {
  let isOpening = false;
  let session: ServedSession | null = null;
  const opened = (): ServedSession => {
    if (session) return session;
    throw new InputError('no model is open', {
      code: 'bad_usage',
      hint: 'Send "open" first, and wait for its answer.',
    });
  };
  const requests = [
    answering(openRequest, async (settings, { report }) => {
      if (isOpening)
        throw new InputError('a model is open already', {
          code: 'bad_usage',
          hint: 'Start another process for another model.',
        });
      isOpening = true;
      try {
        session = await openModel(settings, [], { ...reporterOf(report), warn: (_code, message) => warn(message) });
      } catch (error) {
        isOpening = false;
        throw error;
      }
      return session.facts;
    }),
    answering(loadAdapterRequest, async ({ name, path }) => opened().loadFolder(name, path)),
    answering(unloadAdapterRequest, async ({ name }) => {
      opened().unload(name);
      return null;
    }),
    answering(generateRequest, (request, { signal, report }) =>
      opened().generate(request, { signal, onPiece: report }),
    ),
    answering(scoreRequest, async (request, { signal }) => ({ logprobs: await opened().score(request, { signal }) })),
    answering(answerSuiteRequest, async (questions, calls) => ({
      warnings: await testSuite(opened(), questions, calls),
    })),
    answering(countTokensRequest, async input => ({ tokens: opened().countTokens(input) })),
    answering(memoryRequest, async () => ({
      rss_bytes: rssBytes(),
      available_bytes: availableMemoryBytes(),
      ...opened().memory(),
    })),
  ];
  return { requests, dispose: () => session?.dispose() };
}
