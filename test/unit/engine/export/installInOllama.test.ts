// Installing a file in Ollama: by a server on loopback that speaks its protocol, with all of its faults, and by a program `ollama`.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CancelledError, CodedError } from '../../../../extension/src/core/codedError.js';
import {
  checkNewModel,
  findOllama,
  installInOllama,
  type Ollama,
} from '../../../../extension/src/engine/export/installInOllama.js';
import { OllamaClient } from '../../../../extension/src/engine/export/ollamaClient.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { startOllama, type OllamaOptions, type OllamaServer } from '../../../support/ollamaServer.js';

const asNew = { force: false, own: new Set<string>() };

const CONTENT = Buffer.alloc(3_000_000, 'GGUF, and more. ');
const DIGEST = 'sha256:a4d6a5c3d07c8ed0b29a2fa0ae5ff8d0c1a5f1b59e6bd9ba3a8ec0b5f9a1d8a1';

let folder: string;
let file: string;
let servers: OllamaServer[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-install-'));
  file = join(folder, 'my model.gguf');
  writeFileSync(file, CONTENT);
  servers = [];
  vi.stubEnv('PATH', folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function serverOf(options?: OllamaOptions): Promise<OllamaServer> {
  const server = await startOllama(options);
  servers.push(server);
  vi.stubEnv('OLLAMA_HOST', server.url);
  return server;
}

const parameters = { stop: ['<|im_end|>'], repeat_penalty: 1 };

function install(ollama: Ollama, signal = new AbortController().signal, reporter = silentReporter): Promise<unknown> {
  return installInOllama(ollama, { file, name: 'pirate:latest', parameters, reporter, signal });
}

/** The error of an installation that must fail with one of these. */
async function failureOf(server: OllamaServer, signal?: AbortSignal): Promise<CodedError> {
  const error: unknown = await install(await findOllama(signal), signal).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CodedError)) throw error ?? new Error('nothing was thrown');
  expect([...server.models.keys()]).toEqual([]);
  return error;
}

describe('by the server', () => {
  it('sends the file and creates the model, with stops and without a template', async () => {
    const server = await serverOf();
    const ollama = await findOllama();
    expect(ollama).toMatchObject({ version: '0.34.1', program: null, isLoopback: true });
    const shares: number[] = [];
    await install(ollama, undefined, { ...silentReporter, progress: (_, done, total) => shares.push(done / total!) });
    const [digest] = server.blobs.keys();
    expect(server.blobs.get(digest!)!.equals(CONTENT)).toBe(true);
    expect(server.created).toEqual([
      { model: 'pirate:latest', files: { 'my model.gguf': digest }, parameters, stream: true },
    ]);
    expect(server.requests).toEqual([
      'GET /api/version',
      `HEAD /api/blobs/${digest}`,
      `POST /api/blobs/${digest}`,
      'POST /api/create',
    ]);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  it('sends no file that the server has', async () => {
    const server = await serverOf();
    const ollama = await findOllama();
    await install(ollama);
    await install(ollama);
    expect(server.requests.filter(request => request.startsWith('POST /api/blobs'))).toHaveLength(1);
    expect(server.created).toHaveLength(2);
  });

  it('replaces no model unless it is told to', async () => {
    const server = await serverOf();
    const ollama = await findOllama();
    await checkNewModel(ollama, 'pirate:latest', asNew);
    server.models.set('pirate:latest', { digest: DIGEST, template: null, parameters: {} });
    const error = await inputErrorOf(() => checkNewModel(ollama, 'pirate:latest', asNew));
    expect(error.describe()).toContain('--force');
    await checkNewModel(ollama, 'pirate:latest', { ...asNew, force: true });
    await checkNewModel(ollama, 'pirate:latest', { ...asNew, own: new Set([DIGEST.slice('sha256:'.length)]) });
  });

  it.each<[string, OllamaServer['faults'], RegExp, RegExp]>([
    ['the disk is full', { diskFull: true }, /status 500: write .*no space left on device/, /Free space/],
    ['the file is damaged on its way', { damagesBlobs: true }, /status 400: digest mismatch/, /Try again/],
    ['the upload breaks off', { dropUploadAt: 1_000_000 }, /broke off the upload/, /ollama serve/],
    [
      'the server gives up',
      { createError: 'unsupported architecture "x"' },
      /failed: unsupported architecture "x"/,
      /^$/,
    ],
    [
      'its disk is full in the end',
      { createError: 'write manifest: There is not enough space on the disk.' },
      /not enough space/,
      /Free space/,
    ],
    ['the connection breaks during create', { dropCreate: true }, /broke off its answer/, /ollama serve/],
    [
      'create ends early',
      { endCreateEarly: true },
      /ended before the model was created \(last step: parsing GGUF\)/,
      /^$/,
    ],
    ['the server knows no files', { noFiles: true }, /status 400: neither 'from' or 'files'/, /^$/],
  ])('says it when %s', async (_, faults, message, hint) => {
    const server = await serverOf();
    Object.assign(server.faults, faults);
    const error = await failureOf(server);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(server.url);
    expect(error.hint ?? '').toMatch(hint);
    expect(error.code).toBe('server_failed');
  });

  it('says that the file has changed since its digest was computed', async () => {
    const server = await serverOf();
    const ollama = await findOllama();
    const shrink = () => truncateSync(file, 1000);
    const reporter = {
      ...silentReporter,
      progress: (_: string, done: number, total: number | null) => done * 2 === total && shrink(),
    };
    await expect(install(ollama, undefined, reporter as typeof silentReporter)).rejects.toThrow('became shorter');
    expect(server.models.size).toBe(0);
  });

  it('sends nothing to another address', async () => {
    const other = await serverOf();
    const server = await serverOf();
    const ollama = await findOllama();
    server.faults.redirectTo = other.url;
    await expect(install(ollama)).rejects.toThrow(`redirects to ${other.url}`);
    expect(other.requests).toEqual([]);
  });

  it('is cancelled while it sends and while the server works', async () => {
    for (const when of ['sending', 'parsing GGUF']) {
      const server = await serverOf();
      if (when !== 'sending') server.faults.holdCreate = true;
      const stop = new AbortController();
      const ollama = await findOllama(stop.signal);
      const reporter = {
        ...silentReporter,
        progress: (_p: string, _d: number, _t: number | null, message?: string) => message === when && stop.abort(),
      };
      const error: unknown = await install(ollama, stop.signal, reporter as typeof silentReporter).catch(
        (e: unknown) => e,
      );
      expect(error, when).toBeInstanceOf(CancelledError);
      expect(server.models.size).toBe(0);
    }
  });
});

describe('finding Ollama', () => {
  it('refuses a server from before models were made of files', async () => {
    await serverOf({ version: '0.5.4' });
    const error = await inputErrorOf(() => findOllama());
    expect(error.describe()).toContain('Update Ollama');
  });

  it('is told of another program at that address', async () => {
    const server = await serverOf();
    server.faults.page = true;
    await expect(findOllama()).rejects.toThrow(/not JSON: <html>Sign in/);
  });

  it('says what to do where there is neither server nor program', async () => {
    const server = await serverOf();
    server.close();
    const error = (await findOllama().catch((e: unknown) => e)) as CodedError;
    expect(error.record()).toMatchObject({ code: 'unreachable' });
    expect(error.describe()).toMatch(/doesn't answer at http:\/\/127.*no program ollama on PATH[\s\S]*OLLAMA_HOST/);
  });

  it('says when a server is on another machine, and looks for no program instead', async () => {
    programOf('echo ollama version is 0.34.1');
    vi.stubEnv('OLLAMA_HOST', 'tunewright-test.invalid');
    await expect(findOllama()).rejects.toThrow(/tunewright-test\.invalid:11434 can't be reached/);
  });

  it('reads answers up to a limit', async () => {
    const server = await serverOf();
    server.models.set('pirate:latest', { digest: DIGEST, template: null, parameters: {} });
    server.faults.endless = true;
    await expect(new OllamaClient(server).show('pirate')).rejects.toThrow('without an end');
  });
});

/** A program `ollama` on PATH: a script that gets the arguments. */
function programOf(script: string): void {
  writeFileSync(join(folder, 'ollama'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'ollama'), 0o755);
}

describe.skipIf(process.platform === 'win32')('by the program', () => {
  beforeEach(async () => {
    const server = await serverOf();
    server.close();
  });

  it('creates the model from a Modelfile', async () => {
    const record = join(folder, 'record');
    programOf(`case "$1" in
--version) echo "Warning: could not connect to a running Ollama instance"; echo "Warning: client version is 0.34.1";;
show) exit 1;;
create) /bin/cat "$4" > "${record}"; echo "$2 $3 $4" >> "${record}";;
esac`);
    const ollama = await findOllama();
    expect(ollama).toMatchObject({ version: '0.34.1', program: join(folder, 'ollama') });
    await checkNewModel(ollama, 'pirate:latest', asNew);
    await install(ollama);
    const [modelfile, call] = readFileSync(record, 'utf8').split('pirate:latest ');
    expect(modelfile).toBe(`FROM """${file}"""\nPARAMETER stop """<|im_end|>"""\nPARAMETER repeat_penalty 1\n`);
    expect(call).toMatch(/^-f .*Modelfile\n$/);
    expect(existsSync(call!.slice(3).trim())).toBe(false);
  });

  it('says what the program says', async () => {
    programOf(`case "$1" in
--version) echo "ollama version is 0.34.1";;
*) echo "Error: could not connect to ollama server, run 'ollama serve' to start it" >&2; exit 1;;
esac`);
    const error = (await install(await findOllama()).catch((e: unknown) => e)) as CodedError;
    expect(error.record()).toMatchObject({ code: 'server_failed', hint: 'Start its server: ollama serve.' });
    expect(error.message).toContain('could not connect to ollama server');
  });

  it('replaces no model of the program', async () => {
    programOf('echo ollama version is 0.34.1');
    const ollama = await findOllama();
    expect((await inputErrorOf(() => checkNewModel(ollama, 'pirate:latest', asNew))).describe()).toContain('--force');
  });
});
