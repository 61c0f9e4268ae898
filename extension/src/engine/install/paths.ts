// Paths of the user's cache folder and of the installed TensorFlow libraries in it. Called by the installer, the backend and for
// cached models. Never creates or deletes anything.
import envPaths from 'env-paths';
import { join, resolve } from 'node:path';

/** TUNEWRIGHT_CACHE if it is set, else the platform's cache folder. */
export function cacheFolder(): string {
  const named = process.env.TUNEWRIGHT_CACHE;
  return named ? resolve(named) : envPaths('tunewright', { suffix: '' }).cache;
}

/** For all installed TensorFlow libraries, the lock and unfinished installations. */
export function enginesFolder(): string {
  return join(cacheFolder(), 'engine');
}

/** Held by the process that installs. */
export function installLockFile(): string {
  return join(enginesFolder(), 'install.lock');
}

/** Folder of one TensorFlow library, such as `tensorflow-2.21.0-linux-x64-gpu`. */
export function engineFolder(libraryVersion: string, gpu: boolean): string {
  return join(enginesFolder(), `tensorflow-${libraryVersion}-${process.platform}-${process.arch}${gpu ? '-gpu' : ''}`);
}

/** Folder of an installed version of Dawn, the WebGPU library, such as `webgpu-0.6.2-linux-x64`. */
export function dawnFolder(version: string): string {
  return join(enginesFolder(), `webgpu-${version}-${process.platform}-${process.arch}`);
}

/** For marks of the model files that were found to be undamaged. */
export function checkedBlobsFolder(): string {
  return join(cacheFolder(), 'checked');
}
