// What reaches the server from outside by raw sockets and odd requests: pages in a browser, wrong names, missing keys, bodies that are
// huge, broken, deep or never end, full queues, slow readers, the end of the server.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isLoopback, readApiKey } from '../../../../extension/src/engine/serve/accessControl.js';
import { startServer, type RunningServer, type ServerOptions } from '../../../../extension/src/engine/serve/server.js';
import { scriptedSession, type ScriptedSession } from '../../../support/scriptedSession.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tunewright-serve-')));
afterAll(() => rmSync(folder, { recursive: true }));

let session: ScriptedSession;
const servers: RunningServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  session.release();
  sockets.splice(0).forEach(socket => socket.destroy());
  await Promise.all(servers.splice(0).map(server => server.end()));
});

async function start(
  options: Partial<ServerOptions> = {},
): Promise<{ url: string; port: number; end(): Promise<void> }> {
  session = scriptedSession(['pirate']);
  const onFault = (error: unknown) => expect.fail(String(error));
  const server = await startServer(session, { host: '127.0.0.1', port: 0, onFault, ...options });
  servers.push(server);
  return { url: server.url, port: Number(new URL(server.url).port), end: () => server.end() };
}

/** Sends text and gets what comes back until the other end closes the connection. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    sockets.push(socket);
    socket.on('data', data => (got += data.toString()));
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}

const get = (port: number, headers: string, path = '/v1/models') =>
  raw(port, `GET ${path} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);

const BODY = { model: 'base', messages: [{ role: 'user', content: 'Hi' }] };

function post(url: string, body: unknown = BODY, headers: Record<string, string> = {}, path = '/v1/chat/completions') {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(`${url}${path}`, {
    method: 'POST',
    body: text,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

const errorOf = async (response: Response) => ((await response.json()) as { error: Record<string, unknown> }).error;

describe('names and pages', () => {
  it.each(['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]'])('Host %s with the port is answered', async name => {
    const { port } = await start();
    expect(await get(port, `Host: ${name}:${port}\r\n`)).toContain(' 200 ');
  });

  it.each([
    ['evil.example:PORT', 403],
    ['localhost', 403],
    ['127.0.0.1:1', 403],
    ['localhost.evil.example:PORT', 403],
    ['127.0.0.1:PORT@evil.example', 400],
    ['', 400],
  ])('Host "%s" is %i: a name that resolves to loopback is no proof', async (host, status) => {
    const { port } = await start();
    for (const path of ['/v1/models', '/health', '/metrics', '/none']) {
      const answer = await get(port, `Host: ${host.replace('PORT', String(port))}\r\n`, path);
      expect(answer, path).toContain(`HTTP/1.1 ${status} `);
      expect(answer).not.toContain('pirate');
    }
  });

  it('no Host at all is refused', async () => {
    const { port } = await start();
    expect(await get(port, '')).toContain('HTTP/1.1 400 ');
  });

  it.each(['https://evil.example', 'null', 'http://localhost:3000.evil.example', 'http://localhost:PORT'])(
    'a page of origin %s is refused, before its request is read, and gets no CORS headers',
    async origin => {
      const { url, port } = await start({ allowOrigins: ['http://localhost:3000'] });
      const headers = { Origin: origin.replace('PORT', String(port)) };
      const response = await post(url, BODY, headers);
      expect(response.status).toBe(403);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      expect(await errorOf(response)).toMatchObject({ type: 'permission_error', code: 'origin_not_allowed' });
      const preflight = await fetch(`${url}/v1/models`, { method: 'OPTIONS', headers });
      expect(preflight.status).toBe(403);
      expect(session.requests).toEqual([]);
    },
  );

  it('an image, script or frame of a page is refused, an address that a person types is not', async () => {
    const { port } = await start();
    const from = (site: string) => get(port, `Host: 127.0.0.1:${port}\r\nSec-Fetch-Site: ${site}\r\n`);
    for (const site of ['cross-site', 'same-site', 'same-origin']) expect(await from(site)).toContain(' 403 ');
    expect(await from('none')).toContain(' 200 ');
  });

  it('a page that is allowed gets CORS headers, also before it sends its key, and with errors', async () => {
    const origin = 'http://localhost:3000';
    const { url } = await start({ allowOrigins: [origin], apiKey: 'k'.repeat(16) });
    const preflight = await fetch(`${url}/v1/chat/completions`, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,content-type,x-stainless-os',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization,content-type,x-stainless-os');
    expect(preflight.headers.get('vary')).toContain('Origin');
    const refused = await post(url, BODY, { Origin: origin });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
    const answered = await post(
      url,
      { ...BODY, stream: true },
      { Origin: origin, Authorization: `Bearer ${'k'.repeat(16)}` },
    );
    expect(answered.status).toBe(200);
    expect(answered.headers.get('access-control-allow-origin')).toBe(origin);
    expect(await answered.text()).toContain('[DONE]');
  });

  it.each(['localhost:3000', 'http://localhost:3000/', 'http://a.example/path', '*'])(
    '--allow-origin %s is refused',
    async origin => {
      await expect(start({ allowOrigins: [origin] })).rejects.toThrow('is not an origin');
    },
  );
});

describe('keys', () => {
  const key = 'secret-secret-16';

  it.each([
    ...['127.0.0.1', '127.9.9.9', 'localhost', 'LocalHost', '::1', '0:0:0:0:0:0:0:1', '::0001'].map(host => [
      host,
      true,
    ]),
    ...['0.0.0.0', '::', '::2', '1270.0.0.1', 'localhost.evil.example', 'localhost:80', '127.1', ''].map(h => [
      h,
      false,
    ]),
  ] as [string, boolean][])('whether %j is loopback: %j', (host, loopback) => {
    expect(isLoopback(host)).toBe(loopback);
  });

  it('an address that others can reach needs a key; Host may then be any', async () => {
    await expect(start({ host: '0.0.0.0' })).rejects.toThrow('a key is needed');
    const { port } = await start({ host: '0.0.0.0', apiKey: key });
    expect(await get(port, 'Host: my.machine\r\n')).toContain(' 401 ');
    expect(await get(port, `Host: my.machine\r\nAuthorization: Bearer ${key}\r\n`)).toContain(' 200 ');
    expect(
      await get(port, `Host: my.machine\r\nOrigin: http://my.machine\r\nAuthorization: Bearer ${key}\r\n`),
    ).toContain(' 403 ');
  });

  it.each(['', 'Bearer ', 'Bearer wrong', `Bearer ${key}x`, `Basic ${key}`, key])(
    '%j is 401, and no answer has the key',
    async authorization => {
      const { url } = await start({ apiKey: key });
      for (const path of ['/v1/models', '/metrics', '/none']) {
        const response = await fetch(`${url}${path}`, {
          headers: authorization ? { Authorization: authorization } : {},
        });
        expect(response.status, path).toBe(401);
        const text = await response.text();
        expect(JSON.parse(text).error).toMatchObject({ type: 'authentication_error', code: 'invalid_api_key' });
        expect(text).not.toContain(key);
      }
      expect((await fetch(`${url}/health`)).status).toBe(200);
    },
  );

  const keyFile = (text: string, mode = 0o600) => {
    const file = join(folder, `key-${Math.abs(text.length * 31 + mode)}`);
    rmSync(file, { force: true });
    writeFileSync(file, text, { mode });
    return file;
  };

  it('the file of a key is read without its line end', () => {
    expect(readApiKey(keyFile(`${key}\n`))).toBe(key);
  });

  it.each([
    ['', 0o600, 'empty'],
    ['\n', 0o600, 'empty'],
    ['short', 0o600, 'at least 16'],
    [`${key}\n${key}`, 0o600, 'one line'],
    [key, 0o644, 'other users'],
    [key, 0o660, 'other users'],
  ])('a file with %j and mode %o is refused without showing the key', (text, mode, message) => {
    expect(() => readApiKey(keyFile(text, mode))).toThrow(message);
    try {
      readApiKey(keyFile(text, mode));
    } catch (error) {
      if (text !== '') expect(String(error)).not.toContain(text.trim() || '\n');
    }
  });

  it('a file that is missing, or a folder, is refused', () => {
    expect(() => readApiKey(join(folder, 'none'))).toThrow('does not exist');
    expect(() => readApiKey(folder)).toThrow('a folder');
  });
});

describe('bodies', () => {
  const nested = `${'{"x":'.repeat(80)}1${'}'.repeat(80)}`;
  it.each(
    Object.entries({
      'an open brace': ['{', 400],
      nothing: ['', 400],
      'a list': ['[]', 400],
      null: ['null', 400],
      'a text': ['"x"', 400],
      'half a surrogate pair': ['{"model":"base","messages":[{"role":"user","content":"\\ud800"}]}', 200],
      'a list in 100,000 others': [`{"messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 400],
      'a message that is 80 deep': [`{"model":"base","messages":[{"role":"user","content":"a","x":${nested}}]}`, 400],
      __proto: ['{"__proto__":{"model":"base"},"messages":[]}', 400],
      'a parameter named constructor': [
        '{"constructor":1,"model":"base","messages":[{"role":"user","content":"a"}]}',
        400,
      ],
    }).map(([name, [body, status]]) => ({ name, body, status })),
  )('$name', async ({ body, status }) => {
    const { url } = await start();
    const response = await post(url, body);
    expect(response.status).toBe(status);
    if (status === 400) expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error' });
  });

  it.each([
    [64, 256 << 10],
    [10_000, 640_000],
    [1_000_000, 4 << 20],
  ])('a context of %i tokens has bodies of up to %i bytes', async (context_length, bytes) => {
    const scripted = scriptedSession();
    const { facts } = scripted;
    session = { ...scripted, facts: { ...facts, context_length } };
    const server = await startServer(session, {
      host: '127.0.0.1',
      port: 0,
      onFault: error => expect.fail(String(error)),
    });
    servers.push(server);
    const body = (length: number) => JSON.stringify(BODY).padEnd(length);
    expect((await post(server.url, body(bytes))).status).toBe(200);
    expect((await post(server.url, body(bytes + 1))).status).toBe(413);
  });

  it('a body that is too large is 413, whether it says so or not', async () => {
    const { url, port } = await start({ limits: { maxBodyBytes: 1000 } });
    const response = await post(url, 'x'.repeat(1001));
    expect(response.status).toBe(413);
    expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error' });
    const head = `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
    const chunk = `${(600).toString(16)}\r\n${'x'.repeat(600)}\r\n`;
    expect(await raw(port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}`)).toContain(' 413 ');
    // Told before it is sent.
    expect(await raw(port, `${head}Content-Length: 99999999999\r\n\r\n`)).toContain(' 413 ');
  });

  it.each([
    ['POST', '/v1/chat/completions', JSON.stringify(BODY), 200],
    ['POST', '/v1/chat/completions', '', 400],
    ['DELETE', '/v1/models', '', 405],
    ['DELETE', '/nope', '', 404],
  ])('a body without a length: %s %s', async (method, path, body, status) => {
    const { port } = await start();
    const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
    const chunks = `${body === '' ? '' : `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`}0\r\n\r\n`;
    expect(await raw(port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`)).toContain(` ${status} `);
    if (body === '') expect(await raw(port, `${head}\r\n`)).toContain(` ${status} `);
  });

  it.each([
    ['POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 100\r\n\r\n{"mod', 'half a body'],
    ['POST /v1/completions HTTP/1.1\r\nHost: 127.0', 'half a header'],
  ])('a request that never ends is closed: %#', async (text, _name) => {
    const { port } = await start({ limits: { requestMs: 200 } });
    expect(await raw(port, text.replace('PORT', String(port)))).toMatch(/^(HTTP\/1\.1 408 .*)?/);
    expect(session.requests).toEqual([]);
  });

  it('a body that is compressed is refused', async () => {
    const { url } = await start();
    const body = gzipSync(JSON.stringify(BODY));
    const headers = { 'Content-Encoding': 'gzip' };
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body, headers });
    expect([response.status, await errorOf(response)]).toMatchObject([
      400,
      { message: expect.stringContaining('gzip') },
    ]);
  });

  it('a body that is not UTF-8 is refused', async () => {
    const { url } = await start();
    const text = JSON.stringify({ ...BODY, messages: [{ role: 'user', content: '\u00e9' }] });
    for (const body of [Buffer.from(text, 'latin1'), Buffer.from(text, 'utf16le')]) {
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body });
      expect(response.status).toBe(400);
      expect(await errorOf(response)).toMatchObject({ message: 'The body is not UTF-8.' });
    }
    expect((await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: `\ufeff${text}` })).status).toBe(200);
  });

  it('what is not HTTP is refused', async () => {
    const { port } = await start();
    expect(await raw(port, 'hello\r\n\r\n')).toContain(' 400 ');
    expect(await get(port, `Host: 127.0.0.1:${port}\r\n`, '/\\evil')).toContain(' 400 ');
  });

  it('other routes and methods are errors of the same shape', async () => {
    const { url } = await start();
    const missing = await fetch(`${url}/v1/embeddings`, { method: 'POST' });
    expect([missing.status, await errorOf(missing)]).toMatchObject([404, { code: 'not_found' }]);
    const wrong = await fetch(`${url}/v1/completions`);
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await errorOf(wrong)).toMatchObject({ type: 'invalid_request_error' });
  });
});

describe('the queue', () => {
  const full = { limits: { maxRunning: 2, maxWaiting: 1 } };

  it('is bounded: 429 with Retry-After; a request that waits is answered in its turn', async () => {
    const { url } = await start(full);
    session.hold();
    const asked = [post(url), post(url), post(url)];
    await expect.poll(() => session.open()).toBe(2);
    await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toContain('tunewright_requests_waiting 1\n');
    const refused = await post(url);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await errorOf(refused)).toMatchObject({ type: 'rate_limit_error', code: 'rate_limit_exceeded' });
    session.release();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await post(url)).status).toBe(200);
  });

  it('takes all answers of a request or none', async () => {
    const { url } = await start(full);
    expect((await post(url, { ...BODY, n: 4 })).status).toBe(429);
    expect(session.requests).toEqual([]);
    expect((await post(url, { ...BODY, n: 3 })).status).toBe(200);
  });

  it('many answers of one request wait without a warning of Node', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on('warning', listen);
    const { url } = await start({ limits: { maxRunning: 1 } });
    expect((await post(url, { ...BODY, n: 16 })).status).toBe(200);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it('a client that goes away while it waits leaves it', async () => {
    const { url } = await start(full);
    session.hold();
    const asked = [post(url), post(url)];
    await expect.poll(() => session.open()).toBe(2);
    const stop = new AbortController();
    const waiting = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(BODY),
      signal: stop.signal,
    });
    const metrics = async () => (await fetch(`${url}/metrics`)).text();
    await expect.poll(metrics).toContain('tunewright_requests_waiting 1\n');
    stop.abort();
    await expect(waiting).rejects.toThrow();
    await expect.poll(metrics).toContain('tunewright_requests_waiting 0\n');
    session.release();
    await Promise.all(asked);
    expect(session.requests).toHaveLength(2);
  });
});

describe('connections', () => {
  const three = { limits: { maxConnections: 3 } };
  const opened = (port: number, text: string) =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text, () => resolve(socket)));
      socket.on('error', reject);
      sockets.push(socket);
    });
  const closed = (socket: Socket) => new Promise<void>(resolve => socket.resume().once('close', () => resolve()));

  it.each([
    ['silent', () => ' '],
    ['with half a header', (host: string) => `GET /health HTTP/1.1\r\n${host}X: `],
    [
      'with half a body',
      (host: string) => `POST /v1/completions HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\n{"model"`,
    ],
  ])('those that are %s make room for others', async (_, begun) => {
    const { url, port } = await start(three);
    const host = `Host: 127.0.0.1:${port}\r\n`;
    const idle: Socket[] = [];
    for (let i = 0; i < 3; i++) idle.push(await opened(port, begun(host)));
    const oldest = closed(idle[0]!);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await oldest;
    expect(idle.map(({ closed: gone }) => gone)).toEqual([true, false, false]);
  });

  it('those that wait for an answer stay, and one too many is closed', async () => {
    const { url, port } = await start(three);
    session.hold();
    const asked = [post(url), post(url), post(url)];
    await expect.poll(() => session.open()).toBe(3);
    await closed(await opened(port, ''));
    session.release();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});

describe('the end', () => {
  it('answers under way are finished, new requests refused, idle connections closed', async () => {
    const { url, port, end } = await start();
    session.hold();
    const stream = await post(url, { ...BODY, stream: true });
    const whole = post(url);
    await expect.poll(() => session.open()).toBe(2);
    const idle = raw(port, `GET /health HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    const half = raw(port, 'POST /v1/compl');
    await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toContain('route="/health",status="200"} 1');
    const ended = end();
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    session.release();
    expect(await stream.text()).toContain('[DONE]');
    expect((await whole).status).toBe(200);
    await ended;
    expect(await idle).toContain(' 200 ');
    await half;
  });

  it('what takes longer than the grace time is cut', async () => {
    const { url, end } = await start({ limits: { graceMs: 100 } });
    session.hold();
    const stream = await post(url, { ...BODY, stream: true });
    await end();
    expect(session.open()).toBe(0);
    await stream.text().catch(() => '');
  });

  it('an address that is in use, or not this machine’s, is wrong input', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({ name: 'InputError', code: 'bad_input' });
    await expect(start({ host: '192.0.2.1', apiKey: 'k'.repeat(16) })).rejects.toMatchObject({ name: 'InputError' });
  });
});

describe('adapters from folders', () => {
  const allowed = join(folder, 'allowed');
  const outside = join(folder, 'outside');
  for (const place of [join(allowed, 'good'), join(allowed, 'linked'), outside]) mkdirSync(place, { recursive: true });
  writeFileSync(join(outside, 'adapter_config.json'), '{}');
  symlinkSync(outside, join(allowed, 'link'));
  symlinkSync(join(outside, 'adapter_config.json'), join(allowed, 'linked', 'adapter_config.json'));
  symlinkSync(join(allowed, 'good'), join(allowed, 'within'));
  const options = { adaptersFolders: [allowed] };
  const load = (url: string, name: string, path: unknown, more: object = {}) =>
    post(url, { lora_name: name, lora_path: path, ...more }, {}, '/v1/load_lora_adapter');
  const unload = (url: string, name: unknown) => post(url, { lora_name: name }, {}, '/v1/unload_lora_adapter');

  it('are not unloaded where none may be loaded', async () => {
    const { url } = await start();
    const { name } = session.adapters()[0]!;
    expect((await unload(url, name)).status).toBe(403);
    expect(session.adapters()[0]!.name).toBe(name);
  });

  it('are loaded and unloaded as vLLM does', async () => {
    const { url } = await start(options);
    const loaded = await load(url, 'new', join(allowed, 'good'));
    expect([loaded.status, await loaded.text()]).toEqual([200, "Success: LoRA adapter 'new' added successfully."]);
    expect(session.adapters().at(-1)).toMatchObject({ name: 'new', path: join(allowed, 'good') });
    expect((await post(url, { ...BODY, model: 'new' })).status).toBe(200);
    expect((await load(url, 'new', 'good')).status).toBe(400);
    expect((await load(url, 'new', 'good', { load_inplace: true })).status).toBe(200);
    const unloaded = await unload(url, 'new');
    expect([unloaded.status, await unloaded.text()]).toEqual([
      200,
      "Success: LoRA adapter 'new' removed successfully.",
    ]);
    expect((await post(url, { ...BODY, model: 'new' })).status).toBe(404);
    expect(await errorOf(await unload(url, 'new'))).toMatchObject({ code: 'model_not_found' });
    expect((await unload(url, 'base')).status).toBe(404);
  });

  it.each(['good', './good', 'within', 'x/../good', join(allowed, 'good')])('%s is inside', async path => {
    const { url } = await start(options);
    expect((await load(url, 'new', path)).status).toBe(200);
    expect(session.adapters().at(-1)!.path).toBe(join(allowed, 'good'));
  });

  it.each(['../outside', 'good/../../outside', outside, '/etc', '/none', '../none', 'link', 'linked', `${allowed}2`])(
    '%s leads outside: 403, whether or not it exists',
    async path => {
      const { url } = await start(options);
      const response = await load(url, 'new', path);
      expect([response.status, await errorOf(response)]).toMatchObject([403, { param: 'lora_path' }]);
      expect(session.adapters()).toHaveLength(1);
    },
  );

  it.each([
    ['none', 404],
    ['good\0', 404],
    ['', 400],
    [5, 400],
  ])('%j is %i', async (path, status) => {
    const { url } = await start(options);
    expect((await load(url, 'new', path)).status).toBe(status);
  });

  it.each(['base', '', 'a+b', 'a:1', 'a=b', '../x', 'a b', 'a\n'])('the name %j is refused', async name => {
    const { url } = await start(options);
    expect(await errorOf(await load(url, name, 'good'))).toMatchObject({ param: 'lora_name' });
  });

  it('none without --adapters-folder, and the option must name folders', async () => {
    const { url } = await start();
    expect((await load(url, 'new', allowed)).status).toBe(403);
    await expect(start({ adaptersFolders: [join(folder, 'none')] })).rejects.toThrow('not a folder');
  });
});

it('metrics are Prometheus text', async () => {
  const { url } = await start();
  await (await post(url)).text();
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  for (const line of text.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\n]*",?)+\})? [\d.e+-]+)$/);
  for (const line of [
    'tunewright_http_requests_total{route="/v1/chat/completions",status="200"} 1',
    'tunewright_answers_total{finished_reason="stop"} 1',
    'tunewright_prompt_tokens_total 7',
    'tunewright_cached_tokens_total 3',
    'tunewright_generation_tokens_total 3',
    'tunewright_time_to_first_token_seconds_bucket{le="0.02"} 0',
    'tunewright_time_to_first_token_seconds_bucket{le="0.05"} 1',
    'tunewright_time_to_first_token_seconds_count 1',
    'tunewright_cache_bytes 5',
  ])
    expect(text).toContain(`${line}\n`);
});
