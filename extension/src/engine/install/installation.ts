// The record of an installed TensorFlow library (installation.json in its folder): written by the installer, read by the backend
// and by `engine status`. Never installs or repairs anything: an incomplete folder counts as not installed.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { enginesFolder } from './paths.js';
import { tfjsNodeVersion } from './tfjsNodePackage.js';

const recordSchema = z.object({
  source: z.enum(['library', 'wheel', 'tfjs-node']).describe('Which of the three sources provided the library'),
  origin: z.string().describe('Path, requirement or address of the library'),
  libraryVersion: z.string(),
  tfjsNodeVersion: z.string(),
  gpu: z.boolean(),
  platform: z.string().describe('process.platform and process.arch, such as linux-x64'),
  installedAt: z.iso.datetime(),
  addon: z.string().describe('The N-API addon, relative to the folder'),
  muteStderr: z.string().nullable().describe('The addon that silences the library while it loads, if there is one'),
  files: z.array(z.object({ path: z.string(), bytes: z.int() })).describe('Libraries and addons, without headers'),
});

export type InstallationRecord = z.infer<typeof recordSchema>;

export interface EngineInstallation extends InstallationRecord {
  /** Absolute. */
  folder: string;
}

const RECORD = 'installation.json';

export async function writeInstallation(folder: string, record: InstallationRecord): Promise<void> {
  await writeFile(join(folder, RECORD), JSON.stringify(record, null, 2) + '\n');
}

/** The latest installation that this program can load, or null; with `gpu`, only one of that kind. */
export async function findInstallation({ gpu }: { gpu?: boolean } = {}): Promise<EngineInstallation | null> {
  const names = await readdir(enginesFolder()).catch(() => []);
  const found = await Promise.all(
    names.filter(name => name.startsWith('tensorflow-')).map(name => readInstallation(join(enginesFolder(), name))),
  );
  return found
    .filter(installation => installation !== null)
    .filter(({ platform }) => platform === `${process.platform}-${process.arch}`)
    .filter(installation => installation.tfjsNodeVersion === tfjsNodeVersion)
    .filter(installation => gpu === undefined || installation.gpu === gpu)
    .reduce<EngineInstallation | null>(
      (latest, next) => (latest === null || next.installedAt > latest.installedAt ? next : latest),
      null,
    );
}

async function readInstallation(folder: string): Promise<EngineInstallation | null> {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(join(folder, RECORD), 'utf8')));
    const sizes = await Promise.all(record.files.map(async ({ path }) => (await stat(join(folder, path))).size));
    return record.files.every(({ bytes }, index) => bytes === sizes[index]) ? { ...record, folder } : null;
  } catch {
    return null;
  }
}
