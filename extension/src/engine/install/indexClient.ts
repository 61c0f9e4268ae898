// Requests to the package index and to the hosts of its files: through the user's proxy, with the user's certificates, each host
// with its own login only. Used by all downloads. Messages never contain a login.
import type { Dispatcher } from 'undici';
import type { IndexSettings } from './indexSettings.js';
import { SourceError } from './sourceError.js';

export interface Answer {
  /** Final address, after redirects. */
  url: URL;
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Dispatcher.ResponseData['body'];
}

export interface IndexClient {
  settings: IndexSettings;
  signal: AbortSignal | undefined;
  /** @throws SourceError for every unsuccessful response */
  get: (url: URL, headers?: Record<string, string>) => Promise<Answer>;
}

const MAX_REDIRECTS = 10;
/** Until a connection is established, and then between two chunks of a response. */
const CONNECT_TIMEOUT_MS = 20_000;
const SILENCE_TIMEOUT_MS = 60_000;

/** Runs `work` with a client whose connections are closed afterwards. */
export async function withIndexClient<T>(
  settings: IndexSettings,
  signal: AbortSignal | undefined,
  work: (client: IndexClient) => Promise<T>,
): Promise<T> {
  // Imported here, since no other command needs its 0.5 MB.
  const { EnvHttpProxyAgent, request } = await import('undici');
  const makeAgent = (verified: boolean) => {
    const tls = { ca: settings.certificates, rejectUnauthorized: verified, timeout: CONNECT_TIMEOUT_MS };
    return new EnvHttpProxyAgent({
      httpProxy: settings.httpProxy,
      httpsProxy: settings.httpsProxy,
      noProxy: settings.noProxy,
      proxyTunnel: false, // for plain http: many proxies refuse a tunnel to port 80
      connect: tls,
      requestTls: tls,
      proxyTls: { ca: settings.certificates, timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: SILENCE_TIMEOUT_MS,
      bodyTimeout: SILENCE_TIMEOUT_MS,
    });
  };
  const agents = { verified: makeAgent(true), trusted: makeAgent(false) };

  async function get(address: URL, headers: Record<string, string> = {}): Promise<Answer> {
    let url = address;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      checkScheme(url, settings);
      // Set for each hop, so that a login is not sent to the target of a redirect.
      const authorization = settings.authorizationFor(url);
      const answer = await request(url, {
        dispatcher: settings.isTrusted(url) ? agents.trusted : agents.verified,
        headers: { 'user-agent': 'tunewright', ...headers, ...(authorization ? { authorization } : undefined) },
        signal,
      }).catch(error => {
        signal?.throwIfAborted();
        throw explainFailure(url, error, settings);
      });
      const { statusCode: status, headers: answered, body } = answer;
      if (status >= 200 && status < 300) return { url, status, headers: answered, body };
      await body.dump();
      const { location } = answered;
      if (status < 300 || status >= 400 || typeof location !== 'string' || !URL.canParse(location, url.href))
        throw explainAnswer(url, status, settings);
      url = new URL(location, url);
      url.username = url.password = '';
    }
    throw new SourceError(`${describeUrl(address)} redirects more than ${MAX_REDIRECTS} times`);
  }

  try {
    return await work({ settings, signal, get });
  } finally {
    await Promise.all([agents.verified.destroy(), agents.trusted.destroy()]);
  }
}

/** For messages: without login and query, which may contain secrets. */
export function describeUrl(url: URL): string {
  return url.origin + url.pathname;
}

/** Explains a failure below HTTP: unknown host, no connection, an invalid certificate, a proxy that refuses. */
function explainFailure(
  url: URL,
  error: unknown,
  { httpProxy, httpsProxy, addressSetting }: IndexSettings,
): SourceError {
  const { code = '', message } = error as Error & { code?: string };
  const where = describeUrl(url);
  const proxyStatus = /^Proxy response \((\d+)\)/.exec(message)?.[1];
  if (proxyStatus !== undefined || message.includes('(407)'))
    return new SourceError(`the proxy refuses ${where} (status ${proxyStatus ?? 407})`, {
      hint: 'HTTPS_PROXY (or proxy in pip.conf) may need a login: http://user:password@host:port. NO_PROXY lists hosts that need no proxy.',
    });
  if (/CERT|^UNABLE_TO|SELF_SIGNED|^ERR_TLS/.test(code))
    return new SourceError(`the certificate of ${where} is not accepted (${code})`, {
      hint: 'Set PIP_CERT or SSL_CERT_FILE to the file with the certificates of your organization.',
    });
  const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy;
  return new SourceError(`${where} can't be reached (${code || message})`, {
    transient: true,
    hint:
      proxy === ''
        ? `Check the network. Behind a proxy, set HTTPS_PROXY; for a mirror, set ${addressSetting}.`
        : `Check the proxy ${new URL(proxy).host} (HTTPS_PROXY, or proxy in pip.conf). NO_PROXY lists hosts that need no proxy.`,
  });
}

function explainAnswer(url: URL, status: number, { addressSetting }: IndexSettings): SourceError {
  const hint =
    status === 401 || status === 403
      ? `Put the login into the address of ${addressSetting} or into ~/.netrc. If the network blocks this address, set HTTPS_PROXY, or the address of a mirror.`
      : `Check the address: ${addressSetting}.`;
  return new SourceError(`${describeUrl(url)} responded with status ${status}`, {
    hint,
    transient: status === 408 || status === 429 || status >= 500,
  });
}

/** Plain http could be modified in transit, including the hashes by which files are checked. */
function checkScheme(url: URL, { isTrusted }: IndexSettings): void {
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && (isLocal || isTrusted(url)))) return;
  throw new SourceError(`${describeUrl(url)} is not allowed, since it is not https`, {
    hint: `Use its https address, or add ${url.host} to pip's trusted-host (PIP_TRUSTED_HOST).`,
  });
}
