// Third source of the library: what tfjs-node's own install script downloads, libtensorflow 2.9.1 and the addon that was
// built for it. Needs neither Python nor a compiler. Many networks block its host; TFJS_NODE_CDN_STORAGE names a mirror, as
// it does for tfjs-node.
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { InstallContext } from './progress.js';
import { runCommand } from '../machine/runCommand.js';
import { tfjsNodeVersion } from './tfjsNodePackage.js';

const LIBRARY_VERSION = '2.9.1';
/** The newest Node-API that the addon was built for. */
const ADDON_FOLDER = 'lib/napi-v8';
const CONNECT_TIMEOUT_MS = 20_000;

/** Addresses of the library and of the addon, or null where tfjs-node offers none. */
export function planTfjsNodeDownload(
  platform: string,
  arch: string,
  gpu: boolean,
): { library: string; addon: string } | null {
  const system = ({ linux: 'linux', darwin: 'darwin', win32: 'windows' } as Record<string, string>)[platform];
  if (system === undefined || arch !== 'x64' || (gpu && system === 'darwin')) return null;
  const host = process.env.TFJS_NODE_CDN_STORAGE ?? 'https://storage.googleapis.com/';
  const suffix = system === 'windows' ? 'zip' : 'tar.gz';
  const kind = gpu ? 'gpu' : 'cpu';
  return {
    library: `${host}tensorflow/libtensorflow/libtensorflow-${kind}-${system}-x86_64-${LIBRARY_VERSION}.${suffix}`,
    addon:
      `${host}tf-builds/pre-built-binary/napi-v8/${tfjsNodeVersion}/` +
      `${kind.toUpperCase()}-${system}-${tfjsNodeVersion}.${suffix}`,
  };
}

/**
 * Fills `folder` with `deps/` (the library) and the addon where its run path expects it; gives the addon's folder.
 * @throws Error that names the address that can't be had.
 */
export async function provideFromTfjsNode(
  folder: string,
  plan: { library: string; addon: string },
  context: InstallContext,
): Promise<string> {
  await downloadAndUnpack(plan.library, join(folder, 'deps'), [], context);
  await downloadAndUnpack(plan.addon, join(folder, ADDON_FOLDER), ['--strip-components=1'], context);
  // Windows has no run path: a DLL is found beside what loads it
  if (process.platform === 'win32')
    await copyFile(join(folder, 'deps/lib/tensorflow.dll'), join(folder, ADDON_FOLDER, 'tensorflow.dll'));
  return ADDON_FOLDER;
}

async function downloadAndUnpack(
  address: string,
  folder: string,
  tarArgs: string[],
  context: InstallContext,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const archive = join(folder, '.archive');
  await download(address, archive, context);
  context.onProgress({ phase: 'unpack', done: 0, total: null, message: new URL(address).pathname });
  await runCommand('tar', ['-xf', archive, '-C', folder, ...tarArgs], { signal: context.signal });
  await rm(archive);
}

async function download(address: string, file: string, { onProgress, signal }: InstallContext): Promise<void> {
  const connecting = new AbortController();
  const timer = setTimeout(() => connecting.abort(), CONNECT_TIMEOUT_MS);
  const response = await fetch(address, {
    signal: AbortSignal.any(signal ? [signal, connecting.signal] : [connecting.signal]),
  })
    .catch(error => {
      signal?.throwIfAborted();
      throw new Error(`${address} can't be reached`, { cause: error });
    })
    .finally(() => clearTimeout(timer));
  if (!response.ok || response.body === null) throw new Error(`${address} answers ${response.status}`);
  const total = Number(response.headers.get('content-length')) || null;
  let done = 0;
  let reported = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, pass) {
      done += chunk.length;
      if (done - reported > 1e6 || done === total) {
        reported = done;
        onProgress({ phase: 'download', done, total, message: new URL(address).host });
      }
      pass(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body as never), count, createWriteStream(file), { signal });
}
