// Installs TensorFlow's C library and the addon that connects it to Node, into the user's cache folder. Called by `engine install`.
// Never touches node_modules, the user's Python or the system.
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { ADDON, compileAddon, findLibraries, MUTE_STDERR } from './compileAddon.js';
import { findCppCompiler, missingCompiler } from './cppCompiler.js';
import { CACHE_ELSEWHERE, checkFreeSpace } from '../files/diskSpace.js';
import {
  findInstallation,
  writeInstallation,
  type EngineInstallation,
  type InstallationRecord,
} from './installation.js';
import { installInto } from './installInto.js';
import { provideNamedLibrary } from './namedLibrary.js';
import { engineFolder } from './paths.js';
import type { InstallContext } from './progress.js';
import { runCommand } from '../machine/runCommand.js';
import { SourceError } from './sourceError.js';
import { planTfjsNodeDownload, provideFromTfjsNode } from './tfjsNodeDownload.js';
import { tfjsNodeVersion } from './tfjsNodePackage.js';
import { planWheel } from './wheelPlan.js';
import { provideFromWheel } from './wheel.js';

export interface InstallOptions extends InstallContext {
  /** A local library: a folder, a shared library or a TensorFlow wheel. */
  library?: string;
  /** Install the library for NVIDIA GPUs, with its CUDA packages. */
  gpu?: boolean;
  /** Replace an existing installation. */
  force?: boolean;
  /** Folder of prebuilt addons (of the packaged extension), to use instead of compiling. */
  prebuiltAddons?: string;
}

/** What a source has put into its folder: the location of the addon, and its origin. */
interface Provided {
  source: InstallationRecord['source'];
  origin: string;
  addonFolder: string;
}

/**
 * Provides the library from the first source that works: `library`, the TensorFlow wheel, tfjs-node's own download. Returns an
 * existing installation immediately, unless `library` or `force` is set.
 * @throws InputError saying what is missing and how to get it, why each source failed, or that the disk is full
 */
export async function installEngine(options: InstallOptions): Promise<EngineInstallation> {
  const { gpu = false, library, force = library !== undefined } = options;
  return installInto(options, {
    present: async () => (force ? null : findInstallation({ gpu })),
    fill: async work => {
      const record = await provide(work, gpu, options);
      await writeInstallation(work, record);
      const folder = engineFolder(record.libraryVersion, record.gpu);
      return { folder, installed: { ...record, folder } };
    },
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
    hint: [...hints, 'Or use a local library or wheel: tunewright engine install --library PATH'].join('\n  '),
  });
}

async function provideNamed(work: string, _gpu: boolean, options: InstallOptions): Promise<Provided> {
  await provideNamedLibrary(options.library!, work, options);
  await provideAddon(join(work, 'tensorflow'), options);
  return { source: 'library', origin: options.library!, addonFolder: 'tensorflow' };
}

async function provideWheel(work: string, gpu: boolean, options: InstallOptions): Promise<Provided> {
  const plan = planWheel(process.platform, process.arch, gpu);
  if (plan === null) throw new Error(`there is no TensorFlow wheel for ${process.platform}-${process.arch}`);
  if (options.prebuiltAddons === undefined && (await findCppCompiler(options.signal)) === null) throw missingCompiler();
  checkFreeSpace(work, plan.diskBytes, CACHE_ELSEWHERE);
  await provideFromWheel(work, plan, gpu, options);
  await provideAddon(join(work, 'tensorflow'), options);
  return { source: 'wheel', origin: plan.requirement, addonFolder: 'tensorflow' };
}

async function provideTfjsNode(work: string, gpu: boolean, options: InstallOptions): Promise<Provided> {
  const plan = planTfjsNodeDownload(process.platform, process.arch, gpu);
  if (plan === null) throw new Error(`tfjs-node has no library for ${process.platform}-${process.arch}`);
  if ((await findCppCompiler(options.signal)) === null) throw missingCompiler();
  await provideFromTfjsNode(work, plan, options);
  await compileAddon(join(work, 'tensorflow'), options);
  return { source: 'tfjs-node', origin: plan.url, addonFolder: 'tensorflow' };
}

async function provideAddon(folder: string, options: InstallOptions): Promise<void> {
  if (options.prebuiltAddons === undefined) return compileAddon(folder, options);
  for (const name of [ADDON, MUTE_STDERR]) await copyFile(join(options.prebuiltAddons, name), join(folder, name));
}

/** Loads the addon in a separate process, which also prints the library's version. @returns the record to write */
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
  const libraries = findLibraries(join(work, addonFolder));
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
