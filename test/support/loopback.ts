// HTTP servers on 127.0.0.1 for tests of downloads, and an environment without the user's settings.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';

export interface Loopback {
  /** Without a trailing slash. */
  url: string;
  requests: { url: string; headers: IncomingMessage['headers'] }[];
  close: () => void;
}

export async function listen(handler: RequestListener, server: Server = createServer()): Promise<Loopback> {
  const requests: Loopback['requests'] = [];
  server.on('request', (request, response) => {
    requests.push({ url: request.url!, headers: request.headers });
    handler(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const scheme = 'setSecureContext' in server ? 'https' : 'http';
  return {
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Stubs the environment so that settings are read only from `home`. Undone by `vi.unstubAllEnvs`. */
export function useOwnSettings(home: string): void {
  for (const name of Object.keys(process.env))
    if (
      /^(PIP_|UV_|npm_config_)|_proxy$|^(REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|NETRC)$/i.test(
        name,
      )
    )
      vi.stubEnv(name, undefined);
  for (const name of ['VIRTUAL_ENV', 'CONDA_PREFIX', 'XDG_CONFIG_HOME']) vi.stubEnv(name, undefined);
  vi.stubEnv('XDG_CONFIG_DIRS', `${home}/etc`);
  vi.stubEnv('HOME', home);
  vi.stubEnv('PIP_CONFIG_FILE', '/dev/null');
}
