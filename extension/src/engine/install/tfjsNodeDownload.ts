// Third source of the library: the download of tfjs-node's own install script, libtensorflow 2.9.1 with a prebuilt addon. Needs
// neither Python nor a compiler. Many networks block its host; TFJS_NODE_CDN_STORAGE sets a mirror, as for tfjs-node.
import { createWriteStream } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '../../system/makeFolder.js';
import { withIndexClient } from './indexClient.js';
import { readIndexSettings } from './indexSettings.js';
import type { InstallContext } from './progress.js';
import { resumingDownload } from './resumingDownload.js';
import { runCommand } from '../machine/runCommand.js';
import { tfjsNodeVersion } from './tfjsNodePackage.js';
import { TransferMeter } from './transferMeter.js';

const LIBRARY_VERSION = '2.9.1';
/** For the latest Node-API version for which the addon was built. */
const ADDON_FOLDER = 'lib/napi-v8';

/** Addresses of the library and of the addon; null if tfjs-node has none. */
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
 * Fills `folder` with `deps/` (the library) and the addon, at the location that its run path expects.
 * @returns the addon's folder
 * @throws SourceError with the address of a failed download
 */
export async function provideFromTfjsNode(
  folder: string,
  plan: { library: string; addon: string },
  context: InstallContext,
): Promise<string> {
  await downloadAndUnpack(plan.library, join(folder, 'deps'), [], context);
  await downloadAndUnpack(plan.addon, join(folder, ADDON_FOLDER), ['--strip-components=1'], context);
  // Windows has no run path: a DLL must be in the folder of what loads it.
  if (process.platform === 'win32')
    await copyFile(join(folder, 'deps/lib/tensorflow.dll'), join(folder, ADDON_FOLDER, 'tensorflow.dll'));
  return ADDON_FOLDER;
}

async function downloadAndUnpack(
  address: string,
  folder: string,
  tarArgs: string[],
  { onProgress, signal }: InstallContext,
): Promise<void> {
  makeFolder(folder);
  const archive = join(folder, '.archive');
  const url = new URL(address);
  await withIndexClient(readIndexSettings(), signal, async client => {
    const meter = new TransferMeter({ phase: 'download', message: url.host }, null, onProgress);
    const download = resumingDownload(client, url, { onSize: bytes => meter.expect(bytes) });
    await pipeline(meter.count(download), createWriteStream(archive), { signal });
  });
  onProgress({ phase: 'unpack', done: 0, total: null, message: url.pathname });
  await runCommand('tar', ['-xf', archive, '-C', folder, ...tarArgs], { signal });
  await rm(archive);
}
