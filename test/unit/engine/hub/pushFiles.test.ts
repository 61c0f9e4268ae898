// Pushing to a hub on loopback that speaks the documented protocol and checks what arrives: private repositories, only what is new,
// continuing after a broken connection, waiting when the hub asks for it, and errors that say what to do and never have the token.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CodedError } from '../../../../extension/src/core/codedError.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { HubUnreachableError } from '../../../../extension/src/engine/hub/hubAccess.js';
import { accountName, pushFiles, type PushRequest } from '../../../../extension/src/engine/hub/pushFiles.js';
import { listen } from '../../../support/loopback.js';
import { sha256, startPushServer, type PushServer } from '../../../support/pushServer.js';

/** How long the program would have waited, each time. */
const waits: number[] = [];
vi.mock('node:timers/promises', () => ({ setTimeout: async (ms: number) => void waits.push(ms) }));

const TOKEN = 'hf_secretOfTheTest';
const WEIGHTS = Buffer.alloc(300_000, 'weights');
const OTHERS = Buffer.alloc(200_000, 'others');

let folder: string;
let hub: PushServer;

beforeEach(async () => {
  waits.length = 0;
  folder = mkdtempSync(join(tmpdir(), 'push-'));
  writeFileSync(join(folder, 'a.safetensors'), WEIGHTS);
  writeFileSync(join(folder, 'b.safetensors'), OTHERS);
  hub = await startPushServer(TOKEN);
  vi.stubEnv('HF_ENDPOINT', `${hub.url}/`);
  vi.stubEnv('HF_HUB_OFFLINE', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(folder, { recursive: true });
});

const file = (path: string, name = path) => ({ path, content: { file: join(folder, name) } });
const text = (path: string, value: string) => ({ path, content: { bytes: Buffer.from(value) } });

function request(changes: Partial<PushRequest> = {}): PushRequest {
  return {
    repo: 'me/model',
    files: [file('a.safetensors'), file('folder/ä b.safetensors', 'b.safetensors'), text('config.json', '{}')],
    revision: null,
    message: 'A message',
    isPublic: false,
    mayReplace: () => true,
    token: TOKEN,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...changes,
  };
}

const push = (changes?: Partial<PushRequest>) => pushFiles(request(changes));
const repository = () => hub.repositories.get('me/model')!;
const branch = (name = 'main') => repository().branches.get(name)!;
const count = (start: string) => hub.requests.filter(each => each.startsWith(start)).length;

/** The error of a push that fails, which has the token nowhere. */
async function failure(changes?: Partial<PushRequest>): Promise<CodedError> {
  const error = await push(changes).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CodedError);
  const shown = `${(error as CodedError).describe()}\n${(error as Error).stack}\n${JSON.stringify(error)}`;
  expect(shown).not.toContain(TOKEN);
  expect(shown).not.toContain('signature');
  return error as CodedError;
}

test('creates a private repository with the files, and sends the token to the hub only', async () => {
  const progress = vi.fn();
  const { url, commit, isPublic, files } = await push({ onProgress: progress });
  expect(url).toBe(`${hub.url}/me/model`);
  expect(commit).toMatch(/^[0-9a-f]{40}$/);
  expect(isPublic).toBe(false);
  expect(repository().private).toBe(true);
  expect(repository().messages).toEqual(['A message']);
  expect(branch().get('a.safetensors')).toEqual(WEIGHTS);
  expect(branch().get('folder/ä b.safetensors')).toEqual(OTHERS);
  expect(String(branch().get('config.json'))).toBe('{}');
  expect(files.map(({ bytes, state }) => [bytes, state])).toEqual([
    [300_000, 'uploaded'],
    [200_000, 'uploaded'],
    [2, 'uploaded'],
  ]);
  expect(progress).toHaveBeenCalledWith({ file: 'a.safetensors', bytes: 300_000, totalBytes: 300_000 });
  expect([...hub.tokens.hub]).toEqual([`Bearer ${TOKEN}`]);
  expect([...hub.tokens.storage]).toEqual([undefined]);
});

test('the token isn’t sent to an address that the hub names as the next page of a list', async () => {
  const other = await listen((_request, response) => response.end('[]'));
  const link = `<${other.url}/tree/main?cursor=2>; rel="next"`;
  hub.faults.push({ on: '/tree/', status: 200, body: [], headers: { link } });
  await push();
  other.close();
  expect(other.requests).toHaveLength(1);
  expect(JSON.stringify(other.requests)).not.toContain(TOKEN);
});

test('a public one only when told to, and never into a public one otherwise', async () => {
  await push({ isPublic: true });
  expect(repository().private).toBe(false);
  const before = hub.requests.length;
  const error = await failure({ files: [text('config.json', 'other')] });
  expect(error).toBeInstanceOf(InputError);
  expect(error.describe()).toMatch(/me\/model.*public[\s\S]*--public/);
  expect(hub.requests.slice(before).some(each => each.startsWith('POST'))).toBe(false);
});

test('what the repository has already isn’t uploaded again', async () => {
  await push();
  const uploads = count('PUT');
  expect((await push()).commit).toBeNull();
  const { files } = await push({ files: [...request().files, text('new.json', '[]')] });
  expect(files.map(({ state }) => state)).toEqual(['unchanged', 'unchanged', 'unchanged', 'uploaded']);
  // A file of the same size with another content.
  writeFileSync(join(folder, 'a.safetensors'), Buffer.alloc(300_000, 'changed'));
  expect((await push()).files.map(({ state }) => state)).toEqual(['uploaded', 'unchanged', 'unchanged']);
  expect(count('PUT')).toBe(uploads + 1);
});

test('a push that broke off in the middle of a file continues with that file', async () => {
  hub.breakAt.set(sha256(OTHERS), 1000);
  const error = await failure();
  expect(error).toBeInstanceOf(HubUnreachableError);
  expect(error.describe()).toMatch(/connection to the hub was lost[\s\S]*Push again/);
  expect(waits).toEqual([1000, 2000, 4000, 8000]);
  expect([...hub.storage.keys()]).toEqual([sha256(WEIGHTS)]);
  expect(branch().has('a.safetensors')).toBe(false);
  hub.breakAt.clear();
  const before = hub.requests.length;
  await push();
  expect(hub.requests.slice(before).filter(each => each.startsWith('PUT'))).toEqual([`PUT /storage/${sha256(OTHERS)}`]);
  expect(branch().get('a.safetensors')).toEqual(WEIGHTS);
  expect(branch().get('folder/ä b.safetensors')).toEqual(OTHERS);
});

test('a branch is created, and used when it is there', async () => {
  await push({ revision: 'trial/1' });
  expect(branch('trial/1').get('a.safetensors')).toEqual(WEIGHTS);
  expect(branch().has('a.safetensors')).toBe(false);
  expect((await push({ revision: 'trial/1' })).commit).toBeNull();
});

test('a text file that is there is replaced only if it may be', async () => {
  await push({ files: [text('README.md', 'theirs')] });
  const mayReplace = vi.fn((path: string, existing: string) => path !== 'README.md' || existing === 'ours');
  const files = [text('README.md', 'ours'), text('config.json', '{}')];
  expect((await push({ files, mayReplace })).files.map(({ state }) => state)).toEqual(['kept', 'uploaded']);
  expect(mayReplace).toHaveBeenCalledWith('README.md', 'theirs');
  expect(String(branch().get('README.md'))).toBe('theirs');
  expect((await push({ files })).files[0]!.state).toBe('uploaded');
  expect((await push({ files: [text('README.md', 'ours 2')], mayReplace })).files[0]!.state).toBe('uploaded');
});

test('a repository that another push has created meanwhile is used', async () => {
  await push({ files: [text('config.json', '{}')] });
  hub.faults.push({ on: 'GET /api/models/me/model', status: 404 });
  await push({ files: [text('other.json', '{}')] });
  expect(branch().has('other.json')).toBe(true);
});

describe('waits and tries again', () => {
  test.each([429, 503])('status %i: as long as the hub asks for', async status => {
    for (const on of ['POST /api/repos/create', 'objects/batch', 'PUT /storage', '/commit/'])
      hub.faults.push({ on, status, headers: { 'retry-after': '7' } });
    await push();
    expect(waits).toEqual([7000, 7000, 7000, 7000]);
    expect(branch().get('a.safetensors')).toEqual(WEIGHTS);
    expect(hub.faults.every(({ times }) => times === 0)).toBe(true);
  });

  test('until a date', async () => {
    const soon = new Date(Date.now() + 60_000).toUTCString();
    hub.faults.push({ on: '/preupload/', status: 429, headers: { 'retry-after': soon } });
    await push();
    expect(waits[0]).toBeGreaterThan(30_000);
    expect(branch().get('a.safetensors')).toEqual(WEIGHTS);
  });

  test('but not for an hour', async () => {
    hub.faults.push({
      on: '/preupload/',
      status: 429,
      headers: { 'retry-after': '3600' },
      body: { error: 'Too many' },
    });
    const error = await failure();
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.describe()).toMatch(/busy.*429: Too many[\s\S]*Push again/);
    expect(waits).toEqual([]);
  });
});

describe('refusals say what to do', () => {
  test.each([
    { status: 401, on: '/api/repos/create', says: /token[\s\S]*settings\/tokens/ },
    { status: 403, on: '/api/repos/create', says: /may not write[\s\S]*settings\/tokens/ },
    { status: 403, on: '/commit/', says: /may not write/ },
    { status: 413, on: 'PUT /storage', says: /too large[\s\S]*--type/ },
    { status: 412, on: '/commit/', says: /has changed in the meantime[\s\S]*Push again/ },
    { status: 404, on: '/tree/', says: /does not exist[\s\S]*--revision/ },
    { status: 422, on: '/preupload/', says: /status 422/ },
  ])('status $status at $on', async ({ status, on, says }) => {
    hub.faults.push({ on, status, body: { error: `no, ${TOKEN}, see http://x/?signature=1` } });
    const error = await failure();
    expect(error).toBeInstanceOf(InputError);
    expect(error.describe()).toMatch(says);
    expect(error.describe()).toContain('no, …, see …');
  });

  test('the page of a proxy is left out', async () => {
    hub.faults.push({ on: '/commit/', status: 403, headers: { 'content-type': 'text/html' }, body: '<html>' });
    expect((await failure()).describe()).not.toContain('html');
  });

  test('a file that the hub refuses in the batch', async () => {
    const objects = [{ oid: sha256(WEIGHTS), size: WEIGHTS.length, error: { code: 403, message: 'Storage is full' } }];
    hub.faults.push({ on: 'objects/batch', status: 200, body: { transfer: 'basic', objects } });
    const error = await failure({ files: [file('a.safetensors')] });
    expect(error).toBeInstanceOf(InputError);
    expect(error.describe()).toContain('Storage is full');
  });

  test('a token that the hub doesn’t know, or that is none', async () => {
    expect((await failure({ token: 'hf_other' })).describe()).toMatch(/does not accept this token/);
    expect((await failure({ token: 'password' })).record()).toMatchObject({ key: 'HF_TOKEN' });
    expect((await failure({ token: 'password' })).describe()).not.toContain('password');
  });

  test('offline nothing is asked', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await failure()).toBeInstanceOf(HubUnreachableError);
    expect(hub.requests).toEqual([]);
  });
});

test('ends when it is cancelled, in the middle of an upload', async () => {
  const stop = new AbortController();
  await expect(push({ signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({
    code: 'cancelled',
  });
  expect(branch().has('a.safetensors')).toBe(false);
});

test('the account of a token', async () => {
  expect(await accountName(TOKEN, new AbortController().signal)).toBe('user');
});

test('a page instead of JSON, as of a proxy, is said', async () => {
  const page = await listen((_request, response) => void response.end('<html>Sign in</html>'));
  vi.stubEnv('HF_ENDPOINT', page.url);
  for (const work of [() => push(), () => accountName(TOKEN, new AbortController().signal)]) {
    const error = (await work().catch((caught: unknown) => caught)) as InputError;
    expect(error).toBeInstanceOf(InputError);
    expect(error.describe()).toMatch(/what answers at http:.* is not the hub[^]*HF_ENDPOINT/);
  }
  page.close();
});

test('an HF_ENDPOINT that is no address is said at once', async () => {
  vi.stubEnv('HF_ENDPOINT', 'nonsense');
  await expect(push()).rejects.toThrow('"nonsense" is not an address');
  for (const [address, fault] of [
    ['https://me:secret@hub.example', 'has a login'],
    ['https://secret@hub.example', 'has a login'],
    ['me:secret@hub.example', 'is not an address'],
    ['https://hub.example/?q=1', 'has a query'],
  ]) {
    vi.stubEnv('HF_ENDPOINT', address);
    const error = await push().then(
      () => null,
      (error: Error) => error,
    );
    expect(error?.message).toContain(fault);
    expect(error?.message).not.toContain('secret');
  }
  expect(waits).toEqual([]);
});
