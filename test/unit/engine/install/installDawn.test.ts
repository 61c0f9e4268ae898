// The installation of WebGPU end to end, with a registry on loopback and an addon of a line. `npm run test` in a checkout uses the real
// one from node_modules.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import {
  damageOf,
  DAWN_PLATFORMS,
  dawnPlatform,
  findDawn,
} from '../../../../extension/src/engine/install/dawnPackage.js';
import { installDawn } from '../../../../extension/src/engine/install/installDawn.js';
import type { InstallProgress } from '../../../../extension/src/engine/install/progress.js';
import { requirePackage } from '../../../../extension/src/engine/install/tfjsNodePackage.js';
import { listGpuAdapters } from '../../../../extension/src/engine/webgpu/dawn.js';
import { useOwnSettings, listen, type Loopback } from '../../../support/loopback.js';

/** Of the stand-in; the real one is in dawnPackage.ts. */
const released = vi.hoisted(() => ({ integrity: '' }));
const { DAWN_INTEGRITY, DAWN_VERSION } = await vi.importActual<
  typeof import('../../../../extension/src/engine/install/dawnPackage.js')
>('../../../../extension/src/engine/install/dawnPackage.js');
vi.mock('../../../../extension/src/engine/install/dawnPackage.js', async original => ({
  ...(await original<object>()),
  get DAWN_INTEGRITY() {
    return released.integrity;
  },
}));

const FOLDER = `webgpu-${DAWN_VERSION}-${process.platform}-${process.arch}`;
const PATH = `/webgpu/-/webgpu-${DAWN_VERSION}.tgz`;

const shared = mkdtempSync(join(tmpdir(), 'tunewright-dawn-'));
let archive: Buffer;
let server: Loopback;
let answer: Buffer | RequestListener;

beforeAll(async () => {
  const own = join(shared, 'package/dist', dawnPlatform());
  for (const platform of DAWN_PLATFORMS) mkdirSync(join(shared, 'package/dist', platform), { recursive: true });
  mkdirSync(own, { recursive: true });
  writeFileSync(join(shared, 'addon.cc'), '#include <node_api.h>\nNAPI_MODULE_INIT() { return exports; }');
  const linker = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : [];
  const headers = `-I${requirePackage('node-api-headers').include_dir}`;
  execFileSync('c++', ['-shared', '-fPIC', ...linker, headers, join(shared, 'addon.cc'), '-o', join(own, 'dawn.node')]);
  writeFileSync(join(own, 'other.dll'), randomBytes(300_001));
  writeFileSync(join(shared, 'package/LICENSE.md'), 'MIT');
  writeFileSync(join(shared, 'package/index.js'), 'throw 1');
  for (const platform of DAWN_PLATFORMS.filter(each => each !== dawnPlatform()))
    writeFileSync(join(shared, 'package/dist', platform, 'dawn.node'), 'another platform');
  archive = pack();
  server = await listen((request, response) => {
    if (request.url !== PATH) response.writeHead(404).end();
    else if (typeof answer === 'function') answer(request, response);
    else response.writeHead(200, { 'content-length': answer.length }).end(answer);
  });
});

function pack(): Buffer {
  return execFileSync('/bin/sh', ['-c', 'tar --format=ustar -czf - package'], { cwd: shared, maxBuffer: 1e8 });
}

const integrityOf = (bytes: Buffer) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

afterAll(() => {
  server.close();
  rmSync(shared, { recursive: true });
});

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'tunewright-cache-'));
  useOwnSettings(cache);
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
  vi.stubEnv('npm_config_registry', server.url);
  answer = archive;
  released.integrity = integrityOf(archive);
  server.requests.length = 0;
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

const engines = () => readdirSync(join(cache, 'engine'));

async function failureOf(options: { signal?: AbortSignal } = {}): Promise<InputError> {
  const error = await installDawn({ onProgress: () => {}, ...options }).then(
    () => null,
    reason => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return error;
}

it('the release is the one that package-lock.json has', () => {
  const lock = JSON.parse(readFileSync(new URL('../../../../package-lock.json', import.meta.url), 'utf8'));
  expect(lock.packages['node_modules/webgpu']).toMatchObject({ version: DAWN_VERSION, integrity: DAWN_INTEGRITY });
});

describe('installDawn', () => {
  it('keeps this platform’s files, and does nothing the second time', async () => {
    const reported: InstallProgress[] = [];
    const installed = await installDawn({ onProgress: progress => reported.push(progress) });
    expect(installed).toEqual({ libraryVersion: DAWN_VERSION, folder: join(cache, 'engine', FOLDER) });
    expect(readdirSync(installed.folder).sort()).toEqual(['LICENSE.md', 'dawn.node', 'other.dll', 'sizes.json']);
    const other = readFileSync(join(shared, 'package/dist', dawnPlatform(), 'other.dll'));
    expect(readFileSync(join(installed.folder, 'other.dll')).equals(other)).toBe(true);
    expect(findDawn()).toBe(join(installed.folder, 'dawn.node'));
    expect([...new Set(reported.map(({ phase }) => phase))]).toEqual(['download', 'unpack', 'check']);
    expect(reported.findLast(({ phase }) => phase === 'download')).toMatchObject({
      done: archive.length,
      total: archive.length,
    });
    expect(await installDawn({ onProgress: () => {} })).toEqual(installed);
    expect(server.requests).toHaveLength(1);
    await installDawn({ onProgress: () => {}, force: true });
    expect(server.requests).toHaveLength(2);
    expect(engines()).toEqual([FOLDER]);
  });

  it('installs a damaged library again, which would end the process that loads it', async () => {
    const { folder } = await installDawn({ onProgress: () => {} });
    const addon = join(folder, 'dawn.node');
    const whole = readFileSync(addon);
    const damages: [() => void, string][] = [
      [() => truncateSync(addon, 1000), `dawn.node has 1000 of ${whole.length} bytes`],
      [() => rmSync(join(folder, 'other.dll')), 'other.dll is missing'],
      [() => writeFileSync(join(folder, 'sizes.json'), '{"na'), "sizes.json can't be read"],
    ];
    expect(damageOf(addon)).toBeNull();
    for (const [damage, said] of damages) {
      damage();
      expect(damageOf(addon)).toBe(said);
      const error = await listGpuAdapters().catch((thrown: InputError) => thrown);
      expect(error).toMatchObject({ code: 'engine_not_installed', hint: 'Run: tunewright engine install --webgpu' });
      expect((error as InputError).message).toBe(`WebGPU's library is damaged: ${said} (${addon})`);
      await installDawn({ onProgress: () => {} });
      expect(damageOf(addon)).toBeNull();
      expect(readFileSync(addon).equals(whole)).toBe(true);
    }
    expect(server.requests).toHaveLength(4);
  });

  it('refuses another archive than the released one, and keeps nothing of it', async () => {
    released.integrity = integrityOf(Buffer.from('another'));
    const error = await failureOf();
    expect(error.message).toContain(
      `webgpu-${DAWN_VERSION}.tgz from ${server.url}${PATH} is not the file that was released`,
    );
    expect(engines()).toEqual([]);
    expect(findDawn()).not.toContain(cache);
  });

  it('continues after a connection that broke', async () => {
    const ranges: (string | undefined)[] = [];
    answer = (request, response) => {
      ranges.push(request.headers.range);
      const start = Number(/\d+/.exec(request.headers.range ?? '0')![0]);
      if (start === 0) {
        response.writeHead(200, { 'content-length': archive.length });
        response.write(archive.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 100));
        return;
      }
      response.writeHead(206, { 'content-range': `bytes ${start}-${archive.length - 1}/${archive.length}` });
      response.end(archive.subarray(start));
    };
    await installDawn({ onProgress: () => {} });
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]/)]);
    expect(engines()).toEqual([FOLDER]);
  });

  it('leaves nothing behind when it is stopped, and removes what a killed one left', async () => {
    mkdirSync(join(cache, 'engine/partial-999999999'), { recursive: true });
    const stop = new AbortController();
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, 50_000));
    };
    const onProgress = ({ done }: InstallProgress) => done > 0 && stop.abort();
    await expect(installDawn({ onProgress, signal: stop.signal })).rejects.toThrow(/abort/i);
    expect(engines()).toEqual([]);
  });

  it('says that there is none for this platform, or that it can’t be loaded', async () => {
    const own = join(shared, 'package/dist', dawnPlatform(), 'dawn.node');
    const working = readFileSync(own);
    writeFileSync(own, 'not a library');
    answer = pack();
    writeFileSync(own, working);
    released.integrity = integrityOf(answer);
    expect((await failureOf()).message).toContain('can’t be loaded on this system');
    expect(engines()).toEqual([]);

    const real = Object.getOwnPropertyDescriptor(process, 'platform')!;
    Object.defineProperty(process, 'platform', { ...real, value: 'freebsd' });
    try {
      const { message, hint } = await failureOf();
      expect(message).toBe(`there is no WebGPU library for freebsd-${process.arch}`);
      expect(hint).toContain('linux-x64, linux-arm64, darwin-universal');
    } finally {
      Object.defineProperty(process, 'platform', real);
    }
  });

  it('uses the registry and the token of .npmrc, at its host only, and names neither the token nor pip in errors', async () => {
    vi.stubEnv('npm_config_registry', undefined);
    vi.stubEnv('REGISTRY_TOKEN', 'top-secret');
    const { host } = new URL(server.url);
    const npmrc = `registry=${server.url}/\n//${host}/:_authToken=\${REGISTRY_TOKEN}\n`;
    writeFileSync(join(cache, '.npmrc'), npmrc);
    await installDawn({ onProgress: () => {} });
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer top-secret']);

    answer = (_request, response) => void response.writeHead(403).end();
    rmSync(join(cache, 'engine'), { recursive: true });
    const described = (await failureOf()).describe();
    expect(described).toContain('npm_config_registry');
    expect(described).not.toMatch(/top-secret|PIP_INDEX_URL/);
    expect(existsSync(join(cache, 'engine', FOLDER))).toBe(false);
  });
});
