// The installer end to end, with replacements for everything outside: a loopback server for the package index and tfjs-node's bucket,
// a small wheel, a pip that copies it, an addon of a few lines. `npm test` with an empty cache tests the real installation.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { CACHE_ELSEWHERE, checkFreeSpace } from '../../../../extension/src/engine/files/diskSpace.js';
import { findInstallation } from '../../../../extension/src/engine/install/installation.js';
import { installEngine, type InstallOptions } from '../../../../extension/src/engine/install/installEngine.js';
import type { InstallProgress } from '../../../../extension/src/engine/install/progress.js';
import { findExecutable } from '../../../../extension/src/engine/machine/runCommand.js';
import { requirePackage, tfjsNodeVersion } from '../../../../extension/src/engine/install/tfjsNodePackage.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { listen, useOwnSettings, type Loopback } from '../../../support/loopback.js';
import { makeZip } from '../../../support/zipFile.js';

/** SHA-256 of the stand-ins for what TensorFlow has released; the real ones are in wheelPlan.ts and tfjsNodeDownload.ts. */
const released = vi.hoisted(() => ({ wheel: '', archive: '' }));
vi.mock('../../../../extension/src/engine/install/wheelPlan.js', async original => {
  const { planWheel, ...others } =
    await original<typeof import('../../../../extension/src/engine/install/wheelPlan.js')>();
  return { ...others, planWheel: () => ({ ...planWheel('linux', 'x64', false)!, sha256: released.wheel }) };
});
vi.mock('../../../../extension/src/engine/install/tfjsNodeDownload.js', async original => {
  const { planTfjsNodeDownload, ...others } =
    await original<typeof import('../../../../extension/src/engine/install/tfjsNodeDownload.js')>();
  const planned = () => planTfjsNodeDownload('linux', 'x64', false)!;
  return { ...others, planTfjsNodeDownload: () => ({ ...planned(), sha256: released.archive || planned().sha256 }) };
});

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const ADDON_SOURCE = `
#include <node_api.h>
NAPI_MODULE_INIT() {
  napi_value version;
  napi_create_string_utf8(env, "2.99.0", NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "TF_Version", version);
  return exports;
}`;

const shared = mkdtempSync(join(tmpdir(), 'tunewright-install-'));
const addons = join(shared, 'addons');
const WHEEL = 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl';
const wheel = join(shared, WHEEL);
const wheelBytes = makeZip(
  ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2', 'include/tensorflow/c/c_api.h', 'python/x.so'].map(
    name => ({
      name: `tensorflow/${name}`,
      content: name === 'libtensorflow_cc.so.2' ? randomBytes(300_000) : name,
    }),
  ),
);
let server: Loopback;
let served: Record<string, Buffer | RequestListener> = {};

beforeAll(async () => {
  mkdirSync(addons);
  writeFileSync(join(shared, 'addon.cc'), ADDON_SOURCE);
  const headers = requirePackage('node-api-headers').include_dir;
  const args = ['-shared', '-fPIC', '-undefined', 'dynamic_lookup', `-I${headers}`, join(shared, 'addon.cc')];
  if (process.platform !== 'darwin') args.splice(2, 2);
  execFileSync('c++', [...args, '-o', join(addons, 'tfjs_binding.node')]);
  writeFileSync(join(addons, 'mute_stderr.node'), '');
  writeFileSync(wheel, wheelBytes);
  server = await listen((request, response) => {
    const answer = served[request.url!];
    if (typeof answer === 'function') answer(request, response);
    else response.writeHead(answer ? 200 : 404).end(answer);
  });
});

afterAll(() => {
  server.close();
  rmSync(shared, { recursive: true });
});

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'tunewright-cache-'));
  served = {};
  released.wheel = sha256Of(wheelBytes);
  released.archive = '';
  useOwnSettings(cache);
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
  vi.stubEnv('PIP_INDEX_URL', `${server.url}/simple`);
  vi.stubEnv('TFJS_NODE_CDN_STORAGE', `${server.url}/`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

/** The index has the wheel. `sha256` is the hash in the index, `answer` the response for the file. */
function useIndex({ sha256 = sha256Of(wheelBytes), answer = wheelBytes as Buffer | RequestListener } = {}) {
  served['/simple/tensorflow-cpu/'] = Buffer.from(`<a href="/files/${WHEEL}#sha256=${sha256}">${WHEEL}</a>`);
  served[`/files/${WHEEL}`] = answer;
  vi.stubEnv('PATH', cache);
}

/** PATH contains a pip that runs `download` (a line of shell), and the real tar. */
function usePip(download: string): { calls: () => number } {
  const bin = mkdtempSync(join(cache, 'bin-'));
  const calls = join(bin, 'calls');
  const script = `#!/bin/sh
if [ "$3" = --version ]; then echo "pip 23.0 from /x (python 3.11)"; exit; fi
echo call >> ${calls}
while [ "$1" != --dest ]; do shift; done
dest="$2"
${download}
`;
  writeFileSync(join(bin, 'python3'), script, { mode: 0o755 });
  for (const name of ['tar', 'gzip', 'cp', 'sleep']) symlinkSync(findExecutable(name)!, join(bin, name));
  vi.stubEnv('PATH', bin);
  return { calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n').length : 0) };
}

/** PATH also contains a compiler, which takes the prebuilt addon for what it was to compile. */
function useCompiler(): void {
  const bin = process.env.PATH!;
  const script = `#!/bin/sh
[ "$1" = --version ] && echo "g++ 12"
while [ $# -gt 0 ]; do if [ "$1" = -o ]; then cp ${addons}/"$2" "$2"; fi; shift; done
`;
  writeFileSync(join(bin, 'g++'), script, { mode: 0o755 });
}

const install = (options: Partial<InstallOptions> = {}) =>
  installEngine({ onProgress: () => {}, prebuiltAddons: addons, ...options });

async function failureOf(promise: Promise<unknown>): Promise<InputError> {
  const error = await promise.then(
    () => null,
    reason => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return error;
}

const engines = () => readdirSync(join(cache, 'engine'));

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('installEngine', () => {
  it('installs from the package index with Node, keeps only needed files, and does nothing the second time', async () => {
    useIndex();
    const reported: InstallProgress[] = [];
    const installed = await install({ onProgress: progress => reported.push(progress) });
    expect(installed).toMatchObject({ source: 'wheel', libraryVersion: '2.99.0', tfjsNodeVersion, gpu: false });
    expect([...new Set(reported.map(({ phase }) => phase))]).toEqual(['download', 'check']);
    expect(reported.findLast(({ phase }) => phase === 'download')).toMatchObject({
      done: wheelBytes.length,
      total: wheelBytes.length,
      bytes_per_second: expect.any(Number),
      message: `tensorflow-cpu==2.21.0 (${new URL(server.url).host})`,
    });
    expect(readdirSync(installed.folder).sort()).toEqual(['installation.json', 'tensorflow']);
    expect(readdirSync(join(installed.folder, 'tensorflow')).sort()).toEqual([
      'include',
      'libtensorflow_cc.so.2',
      'libtensorflow_framework.so.2',
      'mute_stderr.node',
      'tfjs_binding.node',
    ]);
    expect(await install()).toEqual(installed);
    const downloads = () => server.requests.filter(({ url }) => url.startsWith('/files/')).length;
    const before = downloads();
    expect((await install({ force: true })).folder).toBe(installed.folder);
    expect(downloads()).toBe(before + 1);
    expect(engines()).toEqual([`tensorflow-2.99.0-${process.platform}-${process.arch}`]);
  });

  it('continues after a connection that broke in the middle of a file', async () => {
    const ranges: (string | undefined)[] = [];
    let breakConnection = () => {};
    useIndex({
      answer: (request, response) => {
        ranges.push(request.headers.range);
        const start = Number(/\d+/.exec(request.headers.range ?? '0')![0]);
        const part = { 'content-range': `bytes ${start}-${wheelBytes.length - 1}/${wheelBytes.length}` };
        const length = { 'content-length': wheelBytes.length - start };
        response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...length, ...part } : length);
        if (start > 0) return void response.end(wheelBytes.subarray(start));
        response.write(wheelBytes.subarray(0, 100_000));
        breakConnection = () => response.destroy();
      },
    });
    const { folder } = await install({ onProgress: ({ done }) => done > 0 && breakConnection() });
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
    expect(statSync(join(folder, 'tensorflow/libtensorflow_cc.so.2')).size).toBe(300_000);
  });

  it('keeps nothing of a file that does not match the hash of the index', async () => {
    // A file more than the released wheel has.
    useIndex({ answer: makeZip([{ name: 'tensorflow/libtensorflow_cc.so.2', content: 'another' }]) });
    const error = await failureOf(install());
    expect(error.message).toContain(`${WHEEL} from ${server.url}/files/${WHEEL} does not match the SHA-256`);
    expect(error.hint).toContain('Try again');
    expect(engines()).toEqual([]);
  });

  it('uses no other wheel than the released one, whatever index, pip and proxy say', async () => {
    usePip(`cp ${wheel} "$dest"`);
    released.wheel = '1'.repeat(64);
    served['/simple/tensorflow-cpu/'] = Buffer.from(
      `<a href="/files/${WHEEL}#sha256=${sha256Of(wheelBytes)}">${WHEEL}</a>`,
    );
    const before = server.requests.length;
    const error = await failureOf(install());
    expect(error.message).toContain(`${WHEEL} from ${server.url}/files/${WHEEL} is not the file that was released`);
    expect(error.message).toContain(`${WHEEL} from pip is not the file that was released`);
    expect(error.hint).toContain('--library PATH');
    expect(server.requests.slice(before).filter(({ url }) => url.startsWith('/files'))).toEqual([]);
    expect(engines()).toEqual([]);
  });

  it('uses pip if Node’s download fails, and says why', async () => {
    const pip = usePip(`echo "  Downloading x.whl (1.5 kB)"; cp ${wheel} "$dest"`);
    const messages: string[] = [];
    const installed = await install({ onProgress: ({ message }) => messages.push(message) });
    expect(installed).toMatchObject({ source: 'wheel', libraryVersion: '2.99.0' });
    expect(messages[0]).toBe(
      `tensorflow-cpu==2.21.0 with Node: ${server.url}/simple/tensorflow-cpu/ responded with status 404; trying pip`,
    );
    expect(readdirSync(installed.folder).sort()).toEqual(['installation.json', 'tensorflow']);
    expect(pip.calls()).toBe(1);
  });

  it('uses uv if there is no pip', async () => {
    vi.stubEnv('PATH', cache);
    const script = `#!/bin/sh
for last; do true; done
/bin/cat "$last" > ${cache}/requirements
while [ "$1" != --target ]; do shift; done
/bin/mkdir -p "$2/tensorflow" "$UV_CACHE_DIR/x.dist-info"
echo library > "$2/tensorflow/libtensorflow_cc.so.2"
echo other > "$2/tensorflow/other"
echo cached > "$UV_CACHE_DIR/x.dist-info/METADATA"
`;
    writeFileSync(join(cache, 'uv'), script, { mode: 0o755 });
    const { folder } = await install();
    expect(readdirSync(folder).sort()).toEqual(['installation.json', 'tensorflow']);
    expect(readdirSync(join(folder, 'tensorflow'))).not.toContain('other');
    expect(readFileSync(join(cache, 'requirements'), 'utf8')).toBe(
      `tensorflow-cpu==2.21.0 --hash=sha256:${released.wheel}\n`,
    );
  });

  it('installs once if two processes do so at the same time', async () => {
    const pip = usePip(`sleep 0.3; cp ${wheel} "$dest"`);
    const [first, second] = await Promise.all([install(), install()]);
    expect(second).toEqual(first);
    expect(pip.calls()).toBe(1);
  });

  it('ignores a damaged installation', async () => {
    usePip(`cp ${wheel} "$dest"`);
    const { folder } = await install();
    writeFileSync(join(folder, 'tensorflow/libtensorflow_cc.so.2'), 'cut');
    expect(await findInstallation()).toBeNull();
  });

  it.each(['Node', 'pip'])('leaves nothing behind if it is stopped during the download with %s', async way => {
    if (way === 'pip') usePip('exec sleep 20');
    else
      useIndex({
        answer: (_request, response) => {
          response.writeHead(200, { 'content-length': wheelBytes.length });
          response.write(wheelBytes.subarray(0, 200_000));
        },
      });
    const stop = new AbortController();
    const onProgress = ({ done, message }: InstallProgress) => {
      if (way === 'Node' ? done > 0 : message.endsWith('(pip)')) stop.abort();
    };
    await expect(install({ signal: stop.signal, onProgress })).rejects.toThrow(/abort/i);
    expect(engines()).toEqual([]);
  });

  it('removes what a killed installation left behind', async () => {
    mkdirSync(join(cache, 'engine/partial-999999999/tensorflow'), { recursive: true });
    usePip(`cp ${wheel} "$dest"`);
    await install();
    expect(engines()).toHaveLength(1);
  });

  /** The archive of tfjs-node's bucket, with a library that only its name makes one. */
  function useBucket(): Buffer {
    mkdirSync(join(cache, 'tree/lib'), { recursive: true });
    writeFileSync(join(cache, 'tree/lib/libtensorflow.so.2'), 'library');
    const archive = execFileSync('/bin/sh', ['-c', `tar -czf - -C ${join(cache, 'tree')} .`]);
    served['/tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz'] = archive;
    return archive;
  }

  it('uses the library that tfjs-node downloads if pip fails, and compiles the addon for it', async () => {
    usePip('exit 1');
    useCompiler();
    released.archive = sha256Of(useBucket());
    const installed = await install();
    expect(installed).toMatchObject({ source: 'tfjs-node', addon: 'tensorflow/tfjs_binding.node' });
    expect(installed.files.map(({ path }) => path)).toContain('tensorflow/libtensorflow.so.2');
    expect(await findInstallation()).toEqual(installed);
  });

  it('uses no other library than the released one', async () => {
    usePip('exit 1');
    useCompiler();
    useBucket();
    const error = await failureOf(install());
    expect(error.message).toMatch(/2\.9\.1\.tar\.gz from 127\.0\.0\.1:\d+ is not the file that was released/);
    expect(engines()).toEqual([]);
  });

  it('says why each source failed if all do, without a login', async () => {
    usePip('echo "ERROR: No matching distribution found" >&2; exit 1');
    useCompiler();
    vi.stubEnv('PIP_INDEX_URL', `${server.url.replace('//', '//me:secret@')}/simple`);
    const error = await failureOf(install());
    expect(error.message).toContain(`${server.url}/simple/tensorflow-cpu/ responded with status 404`);
    expect(error.describe()).not.toContain('secret');
    expect(error.message).toContain('No matching distribution found');
    expect(error.message).toMatch(/2\.9\.1\.tar\.gz responded with status 404/);
    expect(error.hint).toMatch(/PIP_INDEX_URL.*--library PATH/s);
    expect(engines()).toEqual([]);
  });

  it('says how to install a missing compiler, before downloading anything', async () => {
    useIndex();
    const before = server.requests.length;
    const error = await failureOf(install({ prebuiltAddons: undefined }));
    for (const command of ['apt install g++', 'dnf install gcc-c++', 'xcode-select', 'wsl --install'])
      expect(error.hint).toContain(command);
    expect(server.requests.slice(before).filter(({ url }) => url.startsWith('/simple'))).toEqual([]);
  });

  it('links to a local library, and unpacks a local wheel', async () => {
    usePip('exit 1');
    const named = join(cache, 'named');
    mkdirSync(join(named, 'lib'), { recursive: true });
    writeFileSync(join(named, 'lib/libtensorflow.so.2'), 'library');
    expect((await failureOf(install({ library: named }))).message).toContain('C headers');
    mkdirSync(join(named, 'include/tensorflow/c/eager'), { recursive: true });
    writeFileSync(join(named, 'include/tensorflow/c/eager/c_api.h'), '');
    const linked = await install({ library: join(named, 'lib/libtensorflow.so.2') });
    expect(readFileSync(join(linked.folder, 'tensorflow/libtensorflow.so.2'), 'utf8')).toBe('library');
    expect(await install({ library: wheel })).toMatchObject({ source: 'library', origin: wheel });
  });

  it('rejects a truncated wheel, and a library that does not load', async () => {
    usePip('exit 1');
    const cut = join(cache, 'cut.whl');
    writeFileSync(cut, readFileSync(wheel).subarray(0, 100));
    expect((await failureOf(install({ library: cut }))).message).toContain('truncated');
    const broken = join(cache, 'broken');
    mkdirSync(broken);
    for (const name of ['tfjs_binding.node', 'mute_stderr.node']) writeFileSync(join(broken, name), '');
    expect((await failureOf(install({ library: wheel, prebuiltAddons: broken }))).message).toContain(
      'tfjs_binding.node',
    );
    expect(engines()).toEqual([]);
  });

  it('rejects a library that does not exist', async () => {
    expect((await failureOf(install({ library: join(cache, 'none') }))).message).toContain('does not exist');
    expect((await failureOf(install({ library: cache }))).message).toContain('not a TensorFlow library');
    expect(engines()).toEqual([]);
  });
});

describe('checkFreeSpace', () => {
  it('throws if the space is not sufficient, with a hint', async () => {
    const error = await inputErrorOf(() => checkFreeSpace(shared, 1e18, CACHE_ELSEWHERE));
    expect(error.describe()).toMatch(/1000000000\.0 GB.*free/);
    expect(error.hint).toContain('TUNEWRIGHT_CACHE');
    checkFreeSpace(shared, 1, CACHE_ELSEWHERE);
  });
});
