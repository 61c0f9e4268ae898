// How to talk to the hub: its address, the user's token, and requests whose failures are messages a user can act on.
// Called by the pull alone. The token goes to the hub's address only, and into no message.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';

/** The hub can't be reached, or must not be: the one failure that another source may stand in for. */
export class HubUnreachableError extends InputError {}

/** HF_ENDPOINT, else the public hub; without a slash at the end. */
export function hubEndpoint(): string {
  return (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
}

/** HF_HUB_OFFLINE, as Python's huggingface_hub reads it. */
export function isHubOffline(): boolean {
  return /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '');
}

/** HF_TOKEN, else the file that `hf auth login` writes. */
export function hubToken(): string | undefined {
  const named = process.env.HF_TOKEN || process.env.HUGGING_FACE_HUB_TOKEN;
  if (named) return named.trim();
  const home = process.env.HF_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface');
  const file = process.env.HF_TOKEN_PATH ?? join(home, 'token');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined;
}

/** A hub that hasn't answered by then is as good as unreachable. */
const answerTimeoutMs = 20_000;

/**
 * `fetch` for requests about one model; body reading is not limited in time.
 * @throws HubUnreachableError without an answer, InputError on an answer that is no success
 */
export function hubFetch(id: string, signal?: AbortSignal): typeof fetch {
  return async (input, init) => {
    if (isHubOffline()) {
      throw new HubUnreachableError('the hub must not be asked, since HF_HUB_OFFLINE is set', {
        file: id,
        hint: 'Unset HF_HUB_OFFLINE, or name a model that is on this machine: tunewright models list.',
      });
    }
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), answerTimeoutMs);
    const signals = [timeout.signal, ...(signal ? [signal] : [])];
    let response: Response;
    try {
      response = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(id, error);
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await refusal(id, response);
    return response;
  };
}

function unreachable(id: string, error: unknown): HubUnreachableError {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return new HubUnreachableError(`the hub at ${hubEndpoint()} can't be reached (${cause?.code ?? message})`, {
    file: id,
    hint: 'Check the network, set HF_ENDPOINT to a mirror, or name a model that is on this machine: tunewright models list.',
  });
}

async function refusal(id: string, response: Response): Promise<InputError> {
  const { status, headers } = response;
  const code = headers.get('x-error-code') ?? '';
  await response.body?.cancel();
  const page = `${hubEndpoint()}/${id}`;
  if (code === 'GatedRepo') {
    return new InputError('this model is gated', {
      file: id,
      hint: `Accept its terms at ${page}, then set HF_TOKEN to a token of your account.`,
    });
  }
  if (code === 'RevisionNotFound')
    return new InputError('the model has no such revision', { file: id, hint: `See ${page}.` });
  if (code === 'EntryNotFound') return new InputError('the model has no such file', { file: id, hint: `See ${page}.` });
  if (status === 401 || status === 404) {
    return new InputError(`there is no such model at ${hubEndpoint()}, or it is private`, {
      file: id,
      hint: 'Check the spelling (org/name); for a private model set HF_TOKEN.',
    });
  }
  // Anything else is said by what stands between: an overloaded hub, a filter, a proxy.
  return new HubUnreachableError(`the hub at ${hubEndpoint()} can't be used (it answers with status ${status})`, {
    file: id,
    hint: 'Try again later, or set HF_ENDPOINT to a mirror.',
  });
}
