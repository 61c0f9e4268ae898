// Pulling from a hub on loopback into a temporary cache folder: the layout of Python's huggingface_hub, resuming after a broken
// connection, tokens, clear errors, and no request for a cached model.
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CodedError } from '../../../../extension/src/core/codedError.js';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { exitCodeOf } from '../../../../extension/src/engine/cli/failure.js';
import { writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { HubUnreachableError } from '../../../../extension/src/engine/hub/hubAccess.js';
import { commitOf, filesOf } from '../../../../extension/src/engine/hub/hubAnswers.js';
import { listLocalModels } from '../../../../extension/src/engine/hub/localModels.js';
import { cachedModel, pullModel, type PullProgress } from '../../../../extension/src/engine/hub/pullModel.js';
import { resolveModel } from '../../../../extension/src/engine/hub/resolveModel.js';
import { listen, type Loopback } from '../../../support/loopback.js';
import { commit, startHubServer, type HubServer } from '../../../support/hubServer.js';
import { tinyConfig } from '../../../support/tinyModels.js';

let folder: string;
let hub: HubServer;
let files: Record<string, Buffer>;
const modelFolder = () => join(folder, 'hub', 'models--org--model');
const snapshot = () => join(modelFolder(), 'snapshots', commit);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hub-'));
  const weights = join(folder, 'weights');
  writeSafetensors(weights, [{ name: 'w', shape: [100_000], dtype: 'F32', data: new Float32Array(100_000).fill(3) }]);
  files = {
    'config.json': Buffer.from(JSON.stringify(tinyConfig('llama'))),
    'tokenizer.json': Buffer.from('{}'),
    'model.safetensors': readFileSync(weights),
    'pytorch_model.bin': Buffer.from('never'),
    'README.md': Buffer.from('never'),
    'small.Q8_0.gguf': Buffer.from('gguf'),
    '../../../outside.gguf': Buffer.from('never'),
  };
  hub = await startHubServer(files);
  vi.stubEnv('HF_HOME', folder);
  vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubEnv('OLLAMA_MODELS', join(folder, 'ollama'));
  vi.stubEnv('TUNEWRIGHT_CACHE', join(folder, 'tunewright'));
  vi.stubEnv('HOME', folder);
});
afterEach(async () => {
  await hub.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

async function failure(action: Promise<unknown>): Promise<CodedError> {
  const error = await action.then(
    () => null,
    caught => caught,
  );
  expect(error).toBeInstanceOf(CodedError);
  return error;
}
/** One bit of a file in the cache is another. */
function damage(name: string): void {
  const path = join(snapshot(), name);
  const content = readFileSync(path);
  content[content.length - 1]! ^= 1;
  writeFileSync(path, content);
}

const transfers = (name: string) => hub.requests.filter(request => request.includes(`/resolve/${commit}/${name}`));

describe('pull', () => {
  test('downloads the needed files in the shared layout', async () => {
    const seen: PullProgress[] = [];
    expect(await pullModel('org/model', { onProgress: progress => seen.push(progress) })).toBe(snapshot());
    expect(readdirSync(snapshot()).toSorted()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(readFileSync(join(modelFolder(), 'refs', 'main'), 'utf8')).toBe(commit);
    expect(lstatSync(join(snapshot(), 'config.json')).isSymbolicLink()).toBe(true);
    expect(readlinkSync(join(snapshot(), 'model.safetensors'))).toMatch(/^\.\.[\\/]\.\.[\\/]blobs[\\/][0-9a-f]{64}$/);
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(files['model.safetensors'])).toBe(true);
    const total = ['config.json', 'model.safetensors', 'tokenizer.json'].reduce(
      (sum, name) => sum + files[name].length,
      0,
    );
    expect(seen.at(-1)).toMatchObject({ bytes: total, totalBytes: total });
    expect(hub.requests.every(request => request.endsWith(' -'))).toBe(true);
  });

  test('continues after a broken connection', async () => {
    hub.breakAt.set('model.safetensors', 150_000);
    await pullModel('org/model');
    const [first, second] = transfers('model.safetensors');
    expect(first).toContain(' - ');
    expect(Number(/bytes=(\d+)-/.exec(second)![1])).toBeGreaterThan(0);
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(files['model.safetensors'])).toBe(true);
  });

  test('continues a stopped download; complete files are not downloaded again', async () => {
    const stop = new AbortController();
    const stopped = pullModel('org/model', {
      signal: stop.signal,
      onProgress: ({ file, bytes }) => {
        if (file === 'model.safetensors' && bytes > 100_000) stop.abort();
      },
    });
    await expect(stopped).rejects.toThrow(/abort/i);
    expect(cachedModel({ id: 'org/model', gguf: null })).toBeNull();
    hub.requests.length = 0;
    await pullModel('org/model');
    expect(transfers('config.json')).toEqual([]);
    expect(transfers('model.safetensors')[0]).toMatch(/bytes=\d+-/);
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(files['model.safetensors'])).toBe(true);
  });

  test('a file that differs from its hash is deleted', async () => {
    const blobs = join(modelFolder(), 'blobs');
    hub.breakAt.set('model.safetensors', 150_000);
    await pullModel('org/model');
    const blob = readdirSync(blobs).find(name => name.length === 64)!;
    rmSync(join(blobs, blob));
    writeFileSync(join(blobs, `${blob}.incomplete`), 'something else');
    expect((await failure(pullModel('org/model'))).message).toMatch(/does not match the hash/);
    expect(existsSync(join(blobs, `${blob}.incomplete`))).toBe(false);
    await pullModel('org/model');
  });

  test('a GGUF file, by name or part of it', async () => {
    expect(await pullModel('org/model:small.Q8_0.gguf')).toBe(join(snapshot(), 'small.Q8_0.gguf'));
    expect(await pullModel('hf.co/org/model:q8_0')).toBe(join(snapshot(), 'small.Q8_0.gguf'));
    expect(readdirSync(snapshot())).toEqual(['small.Q8_0.gguf']);
    const error = await failure(pullModel('org/model:Q2_K'));
    expect(error.hint).toBe('It has org/model:small.Q8_0.gguf.');
    await failure(pullModel('org/model:outside'));
    expect(existsSync(join(folder, 'hub', 'outside.gguf'))).toBe(false);
  });

  test('the token, from the environment or a file', async () => {
    vi.stubEnv('HF_TOKEN', 'hf_one');
    await pullModel('org/model');
    expect(hub.requests.every(request => request.endsWith(' Bearer hf_one'))).toBe(true);
    vi.stubEnv('HF_TOKEN', '');
    writeFileSync(join(folder, 'token'), 'hf_two\n');
    hub.requests.length = 0;
    await pullModel('org/model');
    expect(hub.requests[0]).toMatch(/ Bearer hf_two$/);
  });

  describe('the token goes to no other host', () => {
    let other: Loopback;
    beforeEach(async () => {
      // The same machine, but another port: another origin.
      other = await listen(({ url }, response) => response.end(files[basename(url!)] ?? '[]'));
      vi.stubEnv('HF_TOKEN', 'hf_secret');
    });
    afterEach(() => other.close());

    test('that is named as the next page of the list of files', async () => {
      hub.elsewhere.next = `${other.url}/api/models/org/model/tree/${commit}?cursor=2`;
      await pullModel('org/model');
      expect(other.requests).toHaveLength(1);
      expect(JSON.stringify(other.requests)).not.toContain('hf_secret');
    });

    test('that files are redirected to', async () => {
      hub.elsewhere.files = other.url;
      await pullModel('org/model');
      expect(other.requests).toHaveLength(3);
      expect(JSON.stringify(other.requests)).not.toContain('hf_secret');
    });
  });

  test('a damaged file in the cache is downloaded again', async () => {
    await pullModel('org/model');
    damage('model.safetensors');
    writeFileSync(join(snapshot(), 'config.json'), '');
    hub.requests.length = 0;
    await pullModel('org/model');
    expect(transfers('').map(request => request.split(' ')[1]!.split('/').at(-1))).toEqual([
      'config.json',
      'model.safetensors',
    ]);
    expect(readFileSync(join(snapshot(), 'model.safetensors')).equals(files['model.safetensors']!)).toBe(true);
  });

  test.each([
    ['org/gated', /gated/, /HF_TOKEN/],
    ['org/missing', /does not exist/, /spelling/],
    ['org/filtered', /status 403/, /HF_ENDPOINT/],
    ['not an id', /not the id of a model/, /org\/name/],
  ])('%s', async (id, message, hint) => {
    const error = await failure(pullModel(id));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(error.describe()).toContain(id);
  });

  test('a revision that would leave the cache', async () => {
    expect((await failure(pullModel('org/model', { revision: '../../x' }))).message).toMatch(/not a valid revision/);
    expect(hub.requests).toEqual([]);
  });

  test('without a network or a cached model, a clear error', async () => {
    await hub.close();
    const error = await failure(pullModel('org/model'));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.record()).toMatchObject({ code: 'unreachable', file: 'org/model' });
    expect(exitCodeOf(error)).toBe(1);
    expect(error.message).toMatch(/can't be reached \(ECONNREFUSED\)/);
  });

  test('HF_HUB_OFFLINE', async () => {
    await pullModel('org/model');
    hub.requests.length = 0;
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await pullModel('org/model')).toBe(snapshot());
    expect((await failure(pullModel('org/other'))).message).toMatch(/HF_HUB_OFFLINE/);
    expect(hub.requests).toEqual([]);
  });
});

describe('resolve', () => {
  const options = { baseDir: '/', allowDownload: true };

  test('downloads, and then loads without a request', async () => {
    const first = await resolveModel('org/model', options);
    expect(first).toMatchObject({ reference: 'org/model', path: snapshot(), format: 'huggingface' });
    first.close();
    hub.requests.length = 0;
    const second = await resolveModel('org/model', options);
    expect(second.tensors.get('w')!.readFloat32()[99_999]).toBe(3);
    second.close();
    expect(hub.requests).toEqual([]);
    expect(listLocalModels()).toEqual([
      expect.objectContaining({ id: 'org/model', store: 'huggingface', modelType: 'llama', reason: null }),
    ]);
  });

  test.each(['model.safetensors', 'config.json', 'tokenizer.json'])(
    'a damaged %s is not loaded, although its size is right',
    async name => {
      (await resolveModel('org/model', options)).close();
      damage(name);
      const error = await failure(resolveModel('org/model', options));
      expect(error.record()).toMatchObject({
        file: join(snapshot(), name),
        message: expect.stringContaining('damaged'),
      });
      expect(error.hint).toContain('tunewright models pull org/model');
      await pullModel('org/model');
      (await resolveModel('org/model', options)).close();
    },
  );

  test('a file is read for its hash once, until it changes', async () => {
    await pullModel('org/model');
    const path = join(snapshot(), 'model.safetensors');
    utimesSync(path, 1000, 1000);
    (await resolveModel('org/model', options)).close();
    damage('model.safetensors');
    utimesSync(path, 1000, 1000);
    (await resolveModel('org/model', options)).close();
    utimesSync(path, 1000, 2000);
    await failure(resolveModel('org/model', options));
  });

  test('a hub that can’t be reached is not the user’s input, and each hint is given once', async () => {
    await hub.close();
    const error = await failure(resolveModel('org/model', options));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(exitCodeOf(error)).toBe(1);
    expect(error.record()).toMatchObject({ code: 'model_not_found', file: 'org/model' });
    expect(error.message).toMatch(/can't be reached .*looked for .*the Hugging Face cache/);
    expect(error.hint!.match(/tunewright models list/g)).toHaveLength(1);
  });

  test('a name that the hub doesn’t have is', async () => {
    const error = await failure(resolveModel('org/none', options));
    expect(error).toBeInstanceOf(InputError);
    expect(exitCodeOf(error)).toBe(2);
    expect(error.record()).toMatchObject({ code: 'model_not_found', file: 'org/none' });
  });

  test.each(['smollm2-135m-instruct', 'org/name', 'org/name:x.gguf'])(
    'offline, %s is suggested to be downloaded, not as a name that it is like',
    async name => {
      const error = await failure(resolveModel(name, { ...options, allowDownload: false }));
      expect(error.hint).toBe(`Download it: tunewright models pull ${name}.`);
    },
  );

  test('offline, a similar name is suggested', async () => {
    const error = await failure(resolveModel('smollm2-135m-instruc', { ...options, allowDownload: false }));
    expect(error.hint).toMatch(/^Did you mean smollm2-135m-instruct\?/);
  });

  test('makes no request if downloads are not allowed', async () => {
    const error = await failure(resolveModel('org/model', { ...options, allowDownload: false }));
    expect(error.message).toMatch(/not on this machine .*the Hugging Face cache for org\/model/);
    expect(hub.requests).toEqual([]);
  });
});

describe('a server that isn’t the hub', () => {
  /** Gives the same answer to every request. */
  async function serveEverywhere(body: string): Promise<void> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  const servers: Server[] = [];
  afterEach(() => servers.splice(0).forEach(server => server.close()));

  test.each(['<html>', 'null', '[1]', '{"sha":7}', '{"sha":"main"}'])('%s is refused with the model', async body => {
    await serveEverywhere(body);
    const error = await failure(pullModel('org/model'));
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).where).toBe('org/model');
  });

  test('an answer whose connection breaks is no wrong answer', async () => {
    const broken = new ReadableStream({
      pull: controller => controller.error(new TypeError('terminated', { cause: { code: 'ECONNRESET' } })),
    });
    const error = await failure(commitOf({ id: 'org/model', fetch: async () => new Response(broken) }, 'main'));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.message).toMatch(/can't be reached \(ECONNRESET\)/);
  });

  test.each(['[null]', '[{"type":"file"}]', '[{"type":"file","path":"config.json","size":"2"}]', '{}'])(
    'as the list of files, %s is refused',
    async list => {
      const place = { id: 'org/model', fetch: async () => new Response(list) };
      const error = await failure(filesOf(place, commit));
      expect((error as InputError).where).toBe('org/model');
    },
  );

  test('a list whose every page names another ends', async () => {
    let pages = 0;
    const next = async () => {
      pages++;
      return new Response('[]', { headers: { link: `<${hub.url}/next/${pages}>; rel="next"` } });
    };
    const error = await failure(filesOf({ id: 'org/model', fetch: next }, commit));
    expect(error.message).toContain('without an end');
    expect(pages).toBe(100);
  });

  test('an answer without an end isn’t kept in memory', async () => {
    let chunks = 0;
    const body = () =>
      new ReadableStream({
        pull: controller => {
          chunks++;
          controller.enqueue(new Uint8Array(1 << 20));
        },
      });
    const error = await failure(commitOf({ id: 'org/model', fetch: async () => new Response(body()) }, 'main'));
    expect(error.message).toContain('without an end');
    expect(chunks).toBeLessThan(20);
  });
});

test('a token of another form than the hub’s is sent as it is', async () => {
  vi.stubEnv('HF_TOKEN', 'mirror-token');
  await pullModel('org/model');
  expect(hub.requests.every(request => request.endsWith(' Bearer mirror-token'))).toBe(true);
});
