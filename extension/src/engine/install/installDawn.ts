// Installs Dawn, the WebGPU library, into the user's cache folder: this platform's files of npm's package `webgpu`. Called by
// `engine install`. Needs no npm, no compiler and no TensorFlow.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { InputError } from '../../core/inputError.js';
import { CACHE_ELSEWHERE, checkFreeSpace } from '../files/diskSpace.js';
import { runCommand } from '../machine/runCommand.js';
import {
  damageOf,
  DAWN_ADDON,
  DAWN_INTEGRITY,
  DAWN_PLATFORMS,
  DAWN_SIZES,
  DAWN_VERSION,
  dawnPlatform,
} from './dawnPackage.js';
import { describeUrl, withIndexClient } from './indexClient.js';
import { installInto } from './installInto.js';
import { readRegistrySettings } from './npmSettings.js';
import { dawnFolder } from './paths.js';
import type { InstallContext } from './progress.js';
import { resumingDownload } from './resumingDownload.js';
import { notTheRelease, SourceError } from './sourceError.js';
import { readTar } from './tarReader.js';
import { TransferMeter } from './transferMeter.js';

export interface DawnInstallation {
  libraryVersion: string;
  folder: string;
}

/** The archive and the largest platform's files. */
const DISK_BYTES = 0.1e9;

/** What the package names its files: `package/dist/linux-x64/dawn.node`. */
const LICENCE = 'package/LICENSE.md';

/**
 * Returns an existing installation immediately, unless it is damaged or `force` is set.
 * @throws InputError saying why it can't be installed; nothing of it is left then
 */
export async function installDawn({
  force,
  ...context
}: InstallContext & { force?: boolean }): Promise<DawnInstallation> {
  const folder = dawnFolder(DAWN_VERSION);
  const installed = { libraryVersion: DAWN_VERSION, folder };
  if (!DAWN_PLATFORMS.includes(dawnPlatform()))
    throw new InputError(`there is no WebGPU library for ${dawnPlatform()}`, {
      hint: `npm’s package webgpu has: ${DAWN_PLATFORMS.join(', ')}`,
    });
  return installInto(context, {
    present: async () => {
      const addon = join(folder, DAWN_ADDON);
      return !force && existsSync(addon) && damageOf(addon) === null ? installed : null;
    },
    fill: async work => {
      await mkdir(work);
      try {
        await provide(work, context);
      } catch (error) {
        if (context.signal?.aborted || !(error instanceof SourceError)) throw error;
        throw new InputError(`WebGPU could not be installed: ${error.message}`, { hint: error.hint });
      }
      return { folder, installed };
    },
  });
}

async function provide(work: string, context: InstallContext): Promise<void> {
  checkFreeSpace(work, DISK_BYTES, CACHE_ELSEWHERE);
  const archive = join(work, '.archive');
  await download(archive, context);
  context.onProgress({ phase: 'unpack', done: 0, total: null, message: `webgpu ${DAWN_VERSION}` });
  await unpack(archive, work, context.signal);
  await rm(archive);
  context.onProgress({ phase: 'check', done: 0, total: null, message: 'loading the library' });
  await checkLoads(join(work, DAWN_ADDON), context.signal);
  await recordSizes(work);
}

async function recordSizes(folder: string): Promise<void> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async name => [name, (await stat(join(folder, name))).size] as const));
  await writeFile(join(folder, DAWN_SIZES), JSON.stringify(Object.fromEntries(sizes)));
}

async function download(archive: string, { onProgress, signal }: InstallContext): Promise<void> {
  const settings = readRegistrySettings();
  const url = new URL(`webgpu/-/webgpu-${DAWN_VERSION}.tgz`, settings.registry);
  const hash = createHash('sha512');
  await withIndexClient(settings, signal, async client => {
    const meter = new TransferMeter(
      { phase: 'download', message: `webgpu ${DAWN_VERSION} (${url.host})` },
      null,
      onProgress,
    );
    const chunks = meter.count(resumingDownload(client, url, { onSize: bytes => meter.expect(bytes) }));
    const hashed = async function* () {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(hashed, createWriteStream(archive), { signal });
  });
  if (`sha512-${hash.digest('base64')}` !== DAWN_INTEGRITY)
    throw notTheRelease(basename(url.pathname), describeUrl(url), '');
}

/** This platform's files and the licence. */
async function unpack(archive: string, folder: string, signal: AbortSignal | undefined): Promise<void> {
  const own = `package/dist/${dawnPlatform()}/`;
  const unzipped = createReadStream(archive).pipe(createGunzip());
  for await (const { name, content } of readTar(unzipped))
    if (name.startsWith(own) || name === LICENCE)
      await pipeline(content, createWriteStream(join(folder, basename(name)), { flags: 'wx' }), { signal });
}

/** In a process of its own, which a library for another C library may end. @throws SourceError if it can't be loaded */
async function checkLoads(addon: string, signal: AbortSignal | undefined): Promise<void> {
  const load = 'try { require(process.argv[1]) } catch (e) { require("fs").writeSync(2, e.message); process.exit(1) }';
  try {
    await runCommand(process.execPath, ['-e', load, addon], { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new SourceError(`the library can’t be loaded on this system (${(error as Error).message})`, {
      hint: 'It needs a newer system, or one with the GNU C library. Training on the CPU needs none of it.',
    });
  }
}
