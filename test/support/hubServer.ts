// A Hugging Face hub on loopback for tests: the three endpoints that a pull uses, with faults on demand.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const commit = 'c'.repeat(40);

export interface HubServer {
  url: string;
  /** `METHOD path range token` of each request so far. */
  requests: string[];
  /** File name -> bytes after which its next transfer is aborted, once. */
  breakAt: Map<string, number>;
  /** File name -> bytes after which its transfers hang, as long as the entry exists. */
  holdAt: Map<string, number>;
  /** Addresses elsewhere that it names: as the next page of the list of files, and as where files are. */
  elsewhere: { next?: string; files?: string };
  close(): Promise<void>;
}

/** @param files of the only model, `org/model`; those over 1000 bytes are served as LFS files */
export async function startHubServer(files: Record<string, Buffer>): Promise<HubServer> {
  const requests: string[] = [];
  const breakAt = new Map<string, number>();
  const holdAt = new Map<string, number>();
  const elsewhere: HubServer['elsewhere'] = {};

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url!.split('?')[0];
    const authorization = request.headers.authorization ?? '-';
    requests.push(`${request.method} ${path} ${request.headers.range ?? '-'} ${authorization}`);
    const json = (value: unknown, status = 200, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    };
    if (path.includes('org/gated')) return json({ error: 'gated' }, 403, { 'x-error-code': 'GatedRepo' });
    if (path.includes('org/filtered')) return json({ error: 'forbidden' }, 403);
    if (path === '/api/models/org/model/revision/main') return json({ _id: '1', id: 'org/model', sha: commit });
    if (path === `/api/models/org/model/tree/${commit}`) {
      const link = elsewhere.next ? { link: `<${elsewhere.next}>; rel="next"` } : {};
      return json(Object.entries(files).map(listed), 200, link);
    }
    if (elsewhere.files) return response.writeHead(302, { location: elsewhere.files + path }).end();
    const name = decodeURIComponent(path.replace(`/org/model/resolve/${commit}/`, ''));
    const content = files[name];
    if (!content) return json({ error: 'not found' }, 404, { 'x-error-code': 'RepoNotFound' });
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers = { 'content-length': content.length - from };
    if (request.headers.range) {
      response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` });
    } else response.writeHead(200, headers);
    const held = holdAt.get(name);
    if (held !== undefined && held > from) return response.write(content.subarray(from, held));
    const end = breakAt.get(name);
    if (end === undefined) return response.end(content.subarray(from));
    breakAt.delete(name);
    response.write(content.subarray(from, end), () => response.destroy());
  };

  const server: Server = createServer(answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    breakAt,
    holdAt,
    elsewhere,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listed([path, content]: [string, Buffer]) {
  const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const lfs = { oid: createHash('sha256').update(content).digest('hex'), size: content.length, pointerSize: 100 };
  return { type: 'file', path, size: content.length, oid, ...(content.length > 1000 && { lfs }) };
}

export const tinyFolder = new URL('../../media/models/tiny/', import.meta.url).pathname;
const tinyFiles = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];

export interface TinyHub extends HubServer {
  /** Where pulled files go; deleted on close. */
  folder: string;
  /** Environment in which a program knows only this hub, and no model of this machine. */
  env: Record<string, string>;
}

/** A hub whose `org/model` is the embedded model. */
export async function startTinyHub(): Promise<TinyHub> {
  const folder = mkdtempSync(join(tmpdir(), 'tunewright-hub-'));
  const hub = await startHubServer(
    Object.fromEntries(tinyFiles.map(name => [name, readFileSync(join(tinyFolder, name))])),
  );
  const cache = { HF_HOME: folder, HF_HUB_CACHE: join(folder, 'hub'), OLLAMA_MODELS: join(folder, 'ollama') };
  return {
    ...hub,
    folder,
    env: { HF_ENDPOINT: hub.url, HF_TOKEN: '', HF_HUB_OFFLINE: '', ...cache },
    close: async () => {
      await hub.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
