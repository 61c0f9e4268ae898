// Third source of the library: libtensorflow 2.9.1, which tfjs-node's own install script downloads. Needs no Python, but a compiler for
// the addon, since nobody has published hashes of tfjs-node's prebuilt ones. Many networks block its host; TFJS_NODE_CDN_STORAGE
// sets a mirror, as for tfjs-node.
import { createWriteStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '../../system/makeFolder.js';
import { fileHash } from '../data/fileHash.js';
import { runCommand } from '../machine/runCommand.js';
import { withIndexClient } from './indexClient.js';
import { readIndexSettings } from './indexSettings.js';
import type { InstallContext } from './progress.js';
import { resumingDownload } from './resumingDownload.js';
import { notTheRelease } from './sourceError.js';
import { TransferMeter } from './transferMeter.js';

export interface LibraryArchive {
  url: string;
  sha256: string;
}

/** SHA-256 of the archives, as nixpkgs, wamuir/graft and microsoft/tensorflow-directml-plugin have them. */
const ARCHIVES: Record<string, string> = {
  'libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz': '7f510d2546e3db5e10b1d119463689003d587842892ad3c95bca51cf82820173',
  'libtensorflow-gpu-linux-x86_64-2.9.1.tar.gz': '20c46f761d5905f592c4eac0812e8e50d9cb439f9440a9391912cf4c02ed8be8',
  'libtensorflow-cpu-darwin-x86_64-2.9.1.tar.gz': '56f83d3320ba0f69aaafd6c058645e1b7fbc75fb9a3fc36d6be98de1291ca226',
};

/** The archive for a platform; null if there is none. */
export function planTfjsNodeDownload(platform: string, arch: string, gpu: boolean): LibraryArchive | null {
  const name = `libtensorflow-${gpu ? 'gpu' : 'cpu'}-${platform}-x86_64-2.9.1.tar.gz`;
  if (arch !== 'x64' || !Object.hasOwn(ARCHIVES, name)) return null;
  const host = process.env.TFJS_NODE_CDN_STORAGE ?? 'https://storage.googleapis.com/';
  return { url: `${host}tensorflow/libtensorflow/${name}`, sha256: ARCHIVES[name]! };
}

/**
 * Fills `folder` with `tensorflow/`: the libraries and include/.
 * @throws SourceError with the address of a failed download, or of another file than the released one
 */
export async function provideFromTfjsNode(
  folder: string,
  { url: address, sha256 }: LibraryArchive,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  const target = join(folder, 'tensorflow');
  makeFolder(target);
  const archive = join(folder, '.archive');
  const url = new URL(address);
  await withIndexClient(readIndexSettings(), signal, async client => {
    const meter = new TransferMeter({ phase: 'download', message: url.host }, null, onProgress);
    const download = resumingDownload(client, url, { onSize: bytes => meter.expect(bytes) });
    await pipeline(meter.count(download), createWriteStream(archive), { signal });
  });
  if ((await fileHash(archive, { signal })) !== sha256) throw notTheRelease(url.pathname, url.host);
  onProgress({ phase: 'unpack', done: 0, total: null, message: url.pathname });
  await runCommand('tar', ['-xf', archive, '-C', target], { signal });
  await rm(archive);
  for (const name of await readdir(join(target, 'lib'))) await rename(join(target, 'lib', name), join(target, name));
}
