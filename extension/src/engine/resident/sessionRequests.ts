// The requests of a session (protocol/sessionMessages.ts): one base in memory, which answers with the adapters that a request names.
// Served by `tunewright session`.
import { InputError } from '../../core/inputError.js';
import {
  countTokensRequest,
  generateRequest,
  loadAdapterRequest,
  memoryRequest,
  openRequest,
  unloadAdapterRequest,
} from '../../protocol/sessionMessages.js';
import type { Session } from '../generation/session.js';
import { availableMemoryBytes, rssBytes } from '../machine/processMemory.js';
import { openSession } from '../run/openSession.js';
import { silentReporter } from '../run/reporter.js';
import { answering, type ResidentRequest } from './requests.js';

export interface ServedSession {
  requests: ResidentRequest[];
  dispose(): void;
}

/** @param warn gets warnings of the engine */
export function sessionRequests(warn: (message: string) => void): ServedSession {
  let opening: Promise<Session> | null = null;
  let session: Session | null = null;
  const opened = (): Session => {
    if (!session) throw new InputError('no model is open', { hint: 'Send "open" first.' });
    return session;
  };
  const requests = [
    answering(openRequest, async (settings, { progress }) => {
      if (opening)
        throw new InputError('a model is open already', { hint: 'Start another session for another model.' });
      const reporter = { ...silentReporter, progress, warn: (_code: string, message: string) => warn(message) };
      opening = openSession(settings, [], reporter);
      try {
        session = await opening;
      } catch (error) {
        opening = null;
        throw error;
      }
      return session.facts;
    }),
    answering(loadAdapterRequest, async ({ name, path }) => opened().loadFolder(name, path)),
    answering(unloadAdapterRequest, async ({ name }) => {
      opened().unload(name);
      return null;
    }),
    answering(generateRequest, async (request, { signal, piece }) =>
      opened().generate(request, { signal, onPiece: piece }),
    ),
    answering(countTokensRequest, async input => ({ tokens: opened().countTokens(input) })),
    answering(memoryRequest, async () => ({
      rss_bytes: rssBytes(),
      available_bytes: availableMemoryBytes(),
      ...opened().memory(),
    })),
  ];
  return { requests, dispose: () => session?.dispose() };
}
