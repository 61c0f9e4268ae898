// Where the engine keeps what it downloads: one cache folder of the user's, one folder in it for each TensorFlow library.
// Called by the installer, the backend and whoever caches models. Only names paths: never creates or deletes anything.
import envPaths from 'env-paths';
import { join, resolve } from 'node:path';

/** The user's cache folder: TUNEWRIGHT_CACHE where it is set, else the platform's own place. */
export function cacheFolder(): string {
  const named = process.env.TUNEWRIGHT_CACHE;
  return named ? resolve(named) : envPaths('tunewright', { suffix: '' }).cache;
}

/** Holds every installed TensorFlow library, the lock and half-done installations. */
export function enginesFolder(): string {
  return join(cacheFolder(), 'engine');
}

/** Folder of one TensorFlow library, such as `tensorflow-2.21.0-linux-x64-gpu`. */
export function engineFolder(libraryVersion: string, gpu: boolean): string {
  return join(enginesFolder(), `tensorflow-${libraryVersion}-${process.platform}-${process.arch}${gpu ? '-gpu' : ''}`);
}
