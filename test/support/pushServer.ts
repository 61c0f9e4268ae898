// A Hugging Face hub on loopback that can be written to, for tests: the documented endpoints of a push (create a repository or branch,
// preupload, LFS batch with the transfer `basic`, commit), with faults on demand. It checks what arrives as the hub does.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Fault {
  /** A part of `METHOD path`. */
  on: string;
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  /** How often; once by default. */
  times?: number;
}

export interface PushServer {
  url: string;
  /** `METHOD path` of each request so far. */
  requests: string[];
  /** Authorization headers, by the kind of address. */
  tokens: { hub: Set<string | undefined>; storage: Set<string | undefined> };
  repositories: Map<string, { private: boolean; branches: Map<string, Map<string, Buffer>>; messages: string[] }>;
  /** Large files that have arrived, by SHA-256. */
  storage: Map<string, Buffer>;
  faults: Fault[];
  /** SHA-256 of a large file -> bytes after which the connection is closed, at each upload. */
  breakAt: Map<string, number>;
  close(): Promise<void>;
}

const LARGE_BYTES = 1000;

export const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');
const gitOid = (content: Buffer) => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
const isLarge = (path: string, size: number) => /\.(safetensors|gguf)$/.test(path) || size > 10 * LARGE_BYTES;

/** @param token the only one that is accepted */
export async function startPushServer(token: string): Promise<PushServer> {
  const server: PushServer = {
    url: '',
    requests: [],
    tokens: { hub: new Set(), storage: new Set() },
    repositories: new Map(),
    storage: new Map(),
    faults: [],
    breakAt: new Map(),
    close: async () => {},
  };
  const http = createServer((request, response) => void answer(server, token, request, response));
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  server.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  server.close = () =>
    new Promise(resolve => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return server;
}

async function answer(server: PushServer, token: string, request: IncomingMessage, response: ServerResponse) {
  const { pathname: path } = new URL(request.url!, server.url);
  const { method, headers } = request;
  const line = `${method} ${path}`;
  server.requests.push(line);
  const json = (value: unknown, status = 200, more: Record<string, string> = {}) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...more }).end(JSON.stringify(value));
  const fault = server.faults.find(({ on, times = 1 }) => line.includes(on) && times > 0);
  if (fault) {
    fault.times = (fault.times ?? 1) - 1;
    request.resume();
    return json(fault.body ?? { error: 'refused' }, fault.status, fault.headers);
  }
  const isStorage = path.startsWith('/storage/');
  server.tokens[isStorage ? 'storage' : 'hub'].add(headers.authorization);
  if (isStorage) return store(server, path.split('/').at(-1)!, request, response);
  const body = Buffer.concat(await request.toArray());
  if (headers.authorization !== `Bearer ${token}`) return json({ error: 'Invalid credentials' }, 401);

  if (path === '/api/whoami-v2') return json({ type: 'user', name: 'user' });
  if (path === '/api/repos/create') {
    const { name, organization, visibility } = JSON.parse(String(body));
    const id = `${organization}/${name}`;
    if (server.repositories.has(id)) return json({ error: 'You already created this model repo' }, 409);
    const branches = new Map([['main', new Map([['.gitattributes', Buffer.from('*.safetensors filter=lfs\n')]])]]);
    server.repositories.set(id, { private: visibility === 'private', branches, messages: [] });
    return json({ url: `${server.url}/${id}`, id });
  }
  const [, id, action, revision = '', ...rest] =
    /^(?:\/api\/models)?\/([\w-]+\/[\w.-]+?)(?:(?:\.git)?\/(preupload|commit|tree|branch|raw|info)(?:\/([^/]+)(?:\/(.+))?)?)?$/
      .exec(path)!
      .map(part => part && decodeURIComponent(part));
  const repository = server.repositories.get(id!);
  if (!repository) return json({ error: 'Repository not found' }, 404, { 'x-error-code': 'RepoNotFound' });
  const files = repository.branches.get(revision);
  switch (action) {
    case undefined:
      return json({ id, private: repository.private });
    case 'branch':
      if (files) return json({ error: 'Reference already exists' }, 409);
      repository.branches.set(revision, new Map(repository.branches.get('main')));
      return json({});
    case 'tree':
      return files ? json([...files].map(listed)) : json({ error: 'Invalid rev id' }, 404);
    case 'raw':
      return void response.end(files!.get(rest[0]!));
    case 'preupload': {
      const { files: asked } = JSON.parse(String(body)) as { files: { path: string; size: number }[] };
      const modeOf = (file: { path: string; size: number }) => (isLarge(file.path, file.size) ? 'lfs' : 'regular');
      return json({ files: asked.map(file => ({ path: file.path, uploadMode: modeOf(file), shouldIgnore: false })) });
    }
    case 'info': {
      const { objects, transfers } = JSON.parse(String(body));
      if (!transfers.includes('basic')) return json({ error: 'unknown transfers' }, 422);
      const upload = (oid: string) => ({ upload: { href: `${server.url}/storage/${oid}?signature=secret` } });
      const known = ({ oid }: { oid: string }) => (server.storage.has(oid) ? {} : { actions: upload(oid) });
      return json({
        transfer: 'basic',
        objects: objects.map((each: { oid: string }) => ({ ...each, ...known(each) })),
      });
    }
    case 'commit': {
      if (!files) return json({ error: 'Invalid rev id' }, 404);
      const lines = String(body)
        .trimEnd()
        .split('\n')
        .map(each => JSON.parse(each));
      for (const { key, value } of lines) {
        if (key === 'header') repository.messages.push(value.summary);
        if (key === 'file') files.set(value.path, Buffer.from(value.content, value.encoding));
        if (key === 'lfsFile') {
          const content = server.storage.get(value.oid);
          if (!content) return json({ error: `LFS object ${value.oid} is missing` }, 400);
          files.set(value.path, content);
        }
      }
      return json({ success: true, commitOid: gitOid(body), commitUrl: `${server.url}/${id}/commit`, hookOutput: '' });
    }
  }
}

/** Takes a large file if it is the one that was announced. */
async function store(server: PushServer, oid: string, request: IncomingMessage, response: ServerResponse) {
  const limit = server.breakAt.get(oid) ?? Infinity;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > limit) return void request.socket.destroy();
    }
  } catch {
    return;
  }
  const content = Buffer.concat(chunks);
  if (sha256(content) !== oid) return void response.writeHead(400).end();
  server.storage.set(oid, content);
  response.end();
}

function listed([path, content]: [string, Buffer]) {
  const lfs = { oid: sha256(content), size: content.length, pointerSize: 130 };
  return {
    type: 'file',
    path,
    size: content.length,
    oid: gitOid(content),
    ...(isLarge(path, content.length) && { lfs }),
  };
}
