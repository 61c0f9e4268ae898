// Access to the hub: its address, the user's token, and requests with clear error messages. Used by pullModel.ts and pushFiles.ts.
// The token is sent to the hub's address only, and appears in no message.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readText } from '../../system/regularFile.js';
import { CodedError, type ErrorDetails } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { withoutLogins } from '../../core/withoutLogins.js';
import type { EngineError } from '../../protocol/engineError.js';

/** The hub can't be reached, or must not be (offline mode): then another source may be tried. Other input would not avoid it. */
export class HubUnreachableError extends CodedError {
  override readonly name = 'HubUnreachableError';

  constructor(message: string, { code = 'unreachable', ...details }: ErrorDetails & { code?: EngineError['code'] }) {
    super(code, message, details);
  }
}

/**
 * HF_ENDPOINT, else the public hub; without a trailing slash.
 * @throws InputError if it is no address, or has a login, which `fetch` refuses and messages would show, or a query
 */
export function hubEndpoint(): string {
  const address = process.env.HF_ENDPOINT || 'https://huggingface.co';
  const url = URL.canParse(address) ? new URL(address) : null;
  const fault =
    url === null || !/^https?:$/.test(url.protocol)
      ? 'is not an address'
      : url.username !== '' || url.password !== ''
        ? 'has a login in it, which is not supported'
        : /[?#]/.test(address)
          ? 'has a query or a fragment, which the address of a hub can’t have'
          : null;
  if (fault !== null)
    throw new InputError(`${JSON.stringify(withoutLogins(address))} ${fault}`, {
      key: 'HF_ENDPOINT',
      hint: 'Set it to an address such as https://huggingface.co, or unset it.',
    });
  return address.replace(/\/+$/, '');
}

/** HF_HUB_OFFLINE, as Python's huggingface_hub reads it. */
export function isHubOffline(): boolean {
  return /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '');
}

/** HF_TOKEN, else the file that `hf auth login` writes. */
export function hubToken(): string | undefined {
  const named = process.env.HF_TOKEN || process.env.HUGGING_FACE_HUB_TOKEN;
  if (named) return checkedToken(named.trim(), { key: 'HF_TOKEN' });
  const home = process.env.HF_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface');
  const file = process.env.HF_TOKEN_PATH ?? join(home, 'token');
  const saved = readText(file)?.trim();
  return saved ? checkedToken(saved, { file }) : undefined;
}

/** Its text is in no message: `fetch` would name a header that it can't send, with its value. */
function checkedToken(token: string, place: { key: string } | { file: string }): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new InputError('the access token of the hub has a space, a line break or another character that no token has', {
    ...place,
    hint: 'Set HF_TOKEN to the token alone.',
  });
}

/**
 * `fetch` that sends the token to the hub's own address only. @huggingface/hub also sends it to addresses that a response names,
 * such as the next page of a list.
 */
export function fetchOfHub(token: string | undefined): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    const address = new URL(input instanceof Request ? input.url : input);
    if (token !== undefined && address.origin !== new URL(hubEndpoint()).origin)
      for (const [name, value] of [...headers]) if (value.includes(token)) headers.delete(name);
    return fetch(input, { ...init, headers });
  };
}

/** A hub that takes longer to respond counts as unreachable. */
const RESPONSE_TIMEOUT_MS = 20_000;

/**
 * `fetch` for requests about one model, with the token and a timeout until the response begins. The token isn't given to
 * @huggingface/hub, which refuses those of other forms than the hub's own, as a mirror may have.
 * @throws HubUnreachableError without a usable response, InputError if the hub rejects the request
 */
export function hubFetch(id: string, signal?: AbortSignal): typeof fetch {
  const token = hubToken();
  const send = fetchOfHub(token);
  return async (input, init) => {
    if (isHubOffline()) {
      throw new HubUnreachableError('the model is not on this machine, and HF_HUB_OFFLINE is set', {
        file: id,
        hint: 'Unset HF_HUB_OFFLINE, or use a local model: tunewright models list.',
      });
    }
    const headers = new Headers(init?.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), RESPONSE_TIMEOUT_MS);
    const signals = [timeout.signal, ...(signal ? [signal] : [])];
    let response: Response;
    try {
      response = await send(input, { ...init, headers, signal: AbortSignal.any(signals) });
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

/** Also for a connection that ends within an answer. */
export function unreachable(id: string, error: unknown): HubUnreachableError {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return new HubUnreachableError(`the hub at ${hubEndpoint()} can't be reached (${cause?.code ?? message})`, {
    file: id,
    hint: 'Check the network, set HF_ENDPOINT to a mirror, or use a local model: tunewright models list.',
  });
}

async function refusal(id: string, response: Response): Promise<InputError | HubUnreachableError> {
  const { status, headers } = response;
  const code = headers.get('x-error-code') ?? '';
  await response.body?.cancel();
  const page = `${hubEndpoint()}/${id}`;
  if (code === 'GatedRepo') {
    return new InputError('this model is gated', {
      file: id,
      hint: `Accept its terms at ${page}, then set HF_TOKEN to an access token of your account.`,
    });
  }
  if (code === 'RevisionNotFound')
    return new InputError('the model does not have this revision', { file: id, hint: `See ${page}.` });
  if (code === 'EntryNotFound')
    return new InputError('the model does not have this file', { file: id, hint: `See ${page}.` });
  if (status === 401 || status === 404) {
    return new InputError(`the model does not exist at ${hubEndpoint()}, or is private`, {
      file: id,
      hint: 'Check the spelling (org/name); for a private model set HF_TOKEN.',
    });
  }
  // Other codes come from an overloaded hub, a filter or a proxy.
  return new HubUnreachableError(`the hub at ${hubEndpoint()} can't be used (it responded with status ${status})`, {
    file: id,
    hint: 'Try again later, or set HF_ENDPOINT to a mirror.',
  });
}
