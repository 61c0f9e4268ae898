// Which Dawn is used, and where it is: npm's package `webgpu`, Chromium's WebGPU library as an addon for Node.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dawnFolder } from './paths.js';
import { requirePackage } from './tfjsNodePackage.js';

/** The version of the package. */
export const DAWN_VERSION = '0.6.2';

/** Of its archive, as package-lock.json has it, so that no registry decides which code is run. Changed together with the version. */
export const DAWN_INTEGRITY =
  'sha512-3L4GfmqJLvYUIEWJngEQY+2HQiUlAFkg8+P8NDDj3Xx5hHHIFO/r8JW+ynfqBj7kHN4mbnwO74uB+lrRtLhp4Q==';

/** The folders of the package, one for each platform. */
export const DAWN_PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-universal', 'win32-x64', 'win32-arm64'];

/** Name of the addon's folder in the package. */
export function dawnPlatform(platform: string = process.platform, arch: string = process.arch): string {
  return `${platform}-${platform === 'darwin' ? 'universal' : arch}`;
}

export const DAWN_ADDON = 'dawn.node';

/** Names and sizes of the files that were installed, as JSON. */
export const DAWN_SIZES = 'sizes.json';

/**
 * What is wrong with the files beside an addon; null if nothing is, or it wasn't installed by us. A library that was cut off ends the
 * process that loads it without a word.
 */
export function damageOf(addon: string): string | null {
  const folder = dirname(addon);
  const record = join(folder, DAWN_SIZES);
  if (!existsSync(record)) return null;
  try {
    const sizes = JSON.parse(readFileSync(record, 'utf8')) as Record<string, number>;
    for (const [name, size] of Object.entries(sizes)) {
      const found = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
      if (found !== size) return found === undefined ? `${name} is missing` : `${name} has ${found} of ${size} bytes`;
    }
    return null;
  } catch {
    return `${DAWN_SIZES} can't be read`;
  }
}

/** Path of the addon: installed by `engine install`, or in a checkout's node_modules; null if there is none. */
export function findDawn(): string | null {
  const installed = join(dawnFolder(DAWN_VERSION), DAWN_ADDON);
  if (existsSync(installed)) return installed;
  try {
    const path = join(dirname(requirePackage.resolve('webgpu')), 'dist', dawnPlatform(), DAWN_ADDON);
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}
