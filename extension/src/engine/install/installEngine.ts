// Installs TensorFlow's C library and the addon that joins it to Node, into the user's cache folder. Called by
// `engine install`. The work is done in a folder of its own and put in place by one rename, so that an installation that
// broke or was stopped leaves nothing behind. Never touches node_modules, the user's Python or the system.
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { ADDON, compileAddon, findLibraries, MUTE_STDERR } from './compileAddon.js';
import { findCppCompiler, missingCompiler } from './cppCompiler.js';
import { checkFreeSpace } from './diskSpace.js';
import {
  findInstallation,
  writeInstallation,
  type EngineInstallation,
  type InstallationRecord,
} from './installation.js';
import { withInstallLock } from './installLock.js';
import { provideNamedLibrary } from './namedLibrary.js';
import { engineFolder, enginesFolder } from './paths.js';
import type { InstallContext } from './progress.js';
import { runCommand } from '../machine/runCommand.js';
import { SourceError } from './sourceError.js';
import { planTfjsNodeDownload, provideFromTfjsNode } from './tfjsNodeDownload.js';
import { tfjsNodeVersion } from './tfjsNodePackage.js';
import { planWheel } from './wheelPlan.js';
import { provideFromWheel } from './wheel.js';

export interface InstallOptions extends InstallContext {
  /** A library that the user names: a folder, a shared library or a TensorFlow wheel. */
  library?: string;
  /** The library that computes on an NVIDIA GPU, with its CUDA packages. */
  gpu?: boolean;
  /** Install again over what is there. */
  force?: boolean;
  /** A folder of addons that were built before (packaged extension), used in place of compiling. */
  prebuiltAddons?: string;
}

/** What a source leaves in the folder that it was given: where its addon is, and where it came from. */
interface Provided {
  source: InstallationRecord['source'];
  origin: string;
  addonFolder: string;
}

/**
 * Provides the library from the first source that works: the one named, the TensorFlow wheel, tfjs-node's own download.
 * What is already installed is returned at once, unless a library is named or `force` is set.
 * @throws InputError that says what is missing and how to get it, what each source answered, or that the disk is full.
 */
export async function installEngine(options: InstallOptions): Promise<EngineInstallation> {
  const { gpu = false, library, force = library !== undefined, onProgress, signal } = options;
  await mkdir(enginesFolder(), { recursive: true });
  const onWait = (pid: number) =>
    onProgress({ phase: 'wait', done: 0, total: null, message: `process ${pid} is installing` });
  return withInstallLock(join(enginesFolder(), 'install.lock'), onWait, signal, async () => {
    const present = force ? null : await findInstallation({ gpu });
    if (present !== null) return present;
    await removeLeftovers();
    const work = join(enginesFolder(), `partial-${process.pid}`);
    try {
      return await putInPlace(work, await provide(work, gpu, options));
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** Fills `work` from the first source whose library loads. */
async function provide(work: string, gpu: boolean, options: InstallOptions): Promise<InstallationRecord> {
  const failures: string[] = [];
  const hints = new Set<string>();
  for (const provideFrom of options.library === undefined ? [provideWheel, provideTfjsNode] : [provideNamed]) {
    await rm(work, { recursive: true, force: true });
    await mkdir(work);
    try {
      return await check(work, gpu, await provideFrom(work, gpu, options), options);
    } catch (error) {
      if (options.signal?.aborted || error instanceof InputError) throw error;
      if (error instanceof SourceError && error.hint !== '') hints.add(error.hint);
      failures.push((error as Error).message);
    }
  }
  throw new InputError(['TensorFlow could not be installed:', ...failures].join('\n  - '), {
    hint: [...hints, 'Or name a library or a wheel that you have: tunewright engine install --library PATH'].join(
      '\n  ',
    ),
  });
}

async function provideNamed(work: string, _gpu: boolean, options: InstallOptions): Promise<Provided> {
  await provideNamedLibrary(options.library!, work, options);
  await provideAddon(join(work, 'tensorflow'), options);
  return { source: 'library', origin: options.library!, addonFolder: 'tensorflow' };
}

async function provideWheel(work: string, gpu: boolean, options: InstallOptions): Promise<Provided> {
  const plan = planWheel(process.platform, process.arch, gpu);
  if (plan === null)
    throw new Error(`the Python package index has no TensorFlow for ${process.platform}-${process.arch}`);
  if (options.prebuiltAddons === undefined && (await findCppCompiler(options.signal)) === null) throw missingCompiler();
  await checkFreeSpace(work, plan.diskBytes);
  await provideFromWheel(work, plan, gpu, options);
  await provideAddon(join(work, 'tensorflow'), options);
  return { source: 'wheel', origin: plan.requirement, addonFolder: 'tensorflow' };
}

async function provideTfjsNode(work: string, gpu: boolean, options: InstallOptions): Promise<Provided> {
  const plan = planTfjsNodeDownload(process.platform, process.arch, gpu);
  if (plan === null) throw new Error(`tfjs-node offers no library for ${process.platform}-${process.arch}`);
  return { source: 'tfjs-node', origin: plan.library, addonFolder: await provideFromTfjsNode(work, plan, options) };
}

async function provideAddon(folder: string, options: InstallOptions): Promise<void> {
  if (options.prebuiltAddons === undefined) return compileAddon(folder, options);
  for (const name of [ADDON, MUTE_STDERR]) await copyFile(join(options.prebuiltAddons, name), join(folder, name));
}

/** Loads the addon in a process of its own, which also tells the library's version; gives the record to be written. */
async function check(
  work: string,
  gpu: boolean,
  { source, origin, addonFolder }: Provided,
  { onProgress, signal }: InstallOptions,
): Promise<InstallationRecord> {
  const addon = `${addonFolder}/${ADDON}`;
  onProgress({ phase: 'check', done: 0, total: null, message: 'loading the library' });
  const load =
    'try { console.log(require(process.argv[1]).TF_Version) } catch (e) { console.error(e.message); process.exit(1) }';
  const printed = await runCommand(process.execPath, ['-e', load, join(work, addon)], { signal });
  const muteStderr = `${addonFolder}/${MUTE_STDERR}`;
  const libraries = [addonFolder, 'deps/lib'].flatMap(folder => findLibraries(join(work, folder)));
  const files = [addon, ...libraries.map(path => path.slice(work.length + 1))];
  const hasMuteStderr = existsSync(join(work, muteStderr));
  if (hasMuteStderr) files.push(muteStderr);
  return {
    source,
    origin,
    libraryVersion: printed.trim(),
    tfjsNodeVersion,
    gpu,
    platform: `${process.platform}-${process.arch}`,
    installedAt: new Date().toISOString(),
    addon,
    muteStderr: hasMuteStderr ? muteStderr : null,
    files: await Promise.all(files.map(async path => ({ path, bytes: (await stat(join(work, path))).size }))),
  };
}

async function putInPlace(work: string, record: InstallationRecord): Promise<EngineInstallation> {
  await writeInstallation(work, record);
  const folder = engineFolder(record.libraryVersion, record.gpu);
  const replaced = join(enginesFolder(), `replaced-${process.pid}`);
  if (existsSync(folder)) await rename(folder, replaced);
  await rename(work, folder);
  await rm(replaced, { recursive: true, force: true });
  return { ...record, folder };
}

/** What a killed installation left; safe, since this process holds the lock. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(enginesFolder()))
    if (/^(partial|replaced)-\d+$/.test(name)) await rm(join(enginesFolder(), name), { recursive: true, force: true });
}
