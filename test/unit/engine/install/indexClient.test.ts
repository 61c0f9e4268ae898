import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, request as forward } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withIndexClient } from '../../../../extension/src/engine/install/indexClient.js';
import { readIndexSettings } from '../../../../extension/src/engine/install/indexSettings.js';
import { listen, useOwnSettings, type Loopback } from '../../../support/loopback.js';

const tls = join(import.meta.dirname, '../../../fixtures/tls');
const certificate = join(tls, 'certificate.pem');
const basic = (login: string) => `Basic ${Buffer.from(login).toString('base64')}`;

let home: string;
let open: Loopback[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tunewright-client-'));
  open = [];
  useOwnSettings(home);
});

afterEach(() => {
  for (const server of open) server.close();
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

async function serve(...args: Parameters<typeof listen>): Promise<Loopback> {
  const server = await listen(...args);
  open.push(server);
  return server;
}

const serveTls = (handler: Parameters<typeof listen>[0]) =>
  serve(
    handler,
    createHttpsServer({ key: readFileSync(join(tls, 'key.pem')), cert: readFileSync(certificate) }) as never,
  );

/** A proxy like those of companies: it forwards http, tunnels https, and may require a login. */
async function serveProxy(login?: string): Promise<Loopback & { tunnels: string[] }> {
  const tunnels: string[] = [];
  const refuses = (header: string | undefined) => login !== undefined && header !== basic(login);
  const server = createHttpServer();
  server.on('connect', (request, socket) => {
    if (refuses(request.headers['proxy-authorization'])) return socket.end('HTTP/1.1 407 No\r\n\r\n');
    tunnels.push(request.url!);
    const [host, port] = request.url!.split(':');
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    for (const end of [socket, target]) end.on('error', () => end.destroy());
  });
  const proxy = await serve((request, response) => {
    if (refuses(request.headers['proxy-authorization'])) return void response.writeHead(407).end();
    forward(request.url!, { headers: request.headers }, answer => {
      response.writeHead(answer.statusCode!);
      answer.pipe(response);
    }).end();
  }, server);
  return { ...proxy, tunnels };
}

async function get(url: string): Promise<string> {
  return withIndexClient(readIndexSettings(), undefined, async client => (await client.get(new URL(url))).body.text());
}

describe('withIndexClient', () => {
  it('does not send a login to another host', async () => {
    const files = await serve((_request, response) => response.end('file'));
    const index = await serve((_request, response) =>
      response.writeHead(302, { location: files.url.replace('//', '//sent:along@') }).end(),
    );
    vi.stubEnv('PIP_INDEX_URL', index.url.replace('//', '//me:secret@'));
    expect(await get(index.url)).toBe('file');
    expect(index.requests[0].headers.authorization).toBe(basic('me:secret'));
    expect(files.requests[0].headers.authorization).toBeUndefined();
  });

  it('uses the host’s login from netrc', async () => {
    const index = await serve((_request, response) => response.end('list'));
    writeFileSync(join(home, '.netrc'), 'machine 127.0.0.1 login me password secret');
    await get(index.url);
    expect(index.requests[0].headers.authorization).toBe(basic('me:secret'));
  });

  it('trusts the certificates that the user names, and says if one is missing', async () => {
    const index = await serveTls((_request, response) => response.end('list'));
    await expect(get(index.url)).rejects.toMatchObject({
      message: expect.stringMatching(
        /certificate of https:\/\/127\.0\.0\.1.* not accepted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
      ),
      hint: expect.stringContaining('PIP_CERT'),
    });
    vi.stubEnv('SSL_CERT_FILE', certificate);
    expect(await get(index.url)).toBe('list');
    vi.stubEnv('SSL_CERT_FILE', undefined);
    vi.stubEnv('PIP_TRUSTED_HOST', '127.0.0.1');
    expect(await get(index.url)).toBe('list');
  });

  it('uses a proxy, directly for http and with a tunnel for https, except for hosts in NO_PROXY', async () => {
    const plain = await serve((_request, response) => response.end('plain'));
    const secure = await serveTls((_request, response) => response.end('secure'));
    const proxy = await serveProxy('me:p@ss');
    vi.stubEnv('PIP_CERT', certificate);
    vi.stubEnv('HTTPS_PROXY', proxy.url.replace('//', '//me:p%40ss@'));
    vi.stubEnv('HTTP_PROXY', process.env.HTTPS_PROXY);
    expect(await get(`${plain.url}/x`)).toBe('plain');
    expect(proxy.requests.map(({ url }) => url)).toEqual([`${plain.url}/x`]);
    expect(await get(secure.url)).toBe('secure');
    expect(proxy.tunnels).toEqual([secure.url.slice('https://'.length)]);
    vi.stubEnv('NO_PROXY', '127.0.0.1');
    expect(await get(plain.url)).toBe('plain');
    expect(proxy.requests).toHaveLength(1);
  });

  it('prefers pip’s proxy to that of the environment, and says that a proxy refuses', async () => {
    const secure = await serveTls((_request, response) => response.end('secure'));
    const plain = await serve((_request, response) => response.end('plain'));
    const proxy = await serveProxy('me:secret');
    vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('PIP_PROXY', proxy.url.replace('//', '//me:wrong@'));
    for (const url of [secure.url, plain.url]) {
      const error = await get(url).catch(reason => reason);
      expect(error.message).toMatch(/^the proxy refuses http.*\(status 407\)$/);
      expect(error.hint).toContain('HTTPS_PROXY');
      expect(error.message + error.hint).not.toContain('wrong');
    }
  });

  it('does not follow a redirect to another host without https', async () => {
    const index = await serve((_request, response) =>
      response.writeHead(302, { location: 'http://files.example/x' }).end(),
    );
    await expect(get(index.url)).rejects.toMatchObject({
      message: 'http://files.example/x is not allowed, since it is not https',
      hint: expect.stringContaining('PIP_TRUSTED_HOST'),
    });
  });

  it.each([
    [401, /netrc/],
    [403, /netrc/],
    [404, /PIP_INDEX_URL/],
  ])('reports status %i, and what to change', async (status, hint) => {
    const index = await serve((_request, response) => response.writeHead(status).end());
    await expect(get(`${index.url}/simple/?token=secret`)).rejects.toMatchObject({
      message: `${index.url}/simple/ responded with status ${status}`,
      hint: expect.stringMatching(hint),
    });
  });

  it('reports that a host can’t be reached, or redirects endlessly', async () => {
    const index = await serve((request, response) => response.writeHead(302, { location: request.url }).end());
    await expect(get(index.url)).rejects.toThrow(/redirects more than 10 times/);
    index.close();
    await expect(get(index.url)).rejects.toMatchObject({
      message: `${index.url}/ can't be reached (ECONNREFUSED)`,
      hint: expect.stringContaining('Behind a proxy, set HTTPS_PROXY'),
    });
    vi.stubEnv('HTTP_PROXY', 'http://me:secret@127.0.0.1:1');
    await expect(get(index.url)).rejects.toMatchObject({
      hint: expect.stringMatching(/^Check the proxy 127\.0\.0\.1:1 /),
    });
  });
});
