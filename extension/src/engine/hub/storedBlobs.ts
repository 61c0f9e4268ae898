// Checks files of the stores that name them by their content, which are the Hugging Face cache and Ollama's: a damaged one must not be
// trained on. Called by resolveModel.ts. Remembers what it has checked in the cache folder of this program; changes no store.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { isFolder } from '../../system/fileStat.js';
import { makeFolder } from '../../system/makeFolder.js';
import { regularFileSize, writeWhole } from '../../system/regularFile.js';
import { checkedBlobsFolder } from '../install/paths.js';
import { hasHash, type BlobHash } from './downloadBlob.js';
import { MODEL_FILE } from './pullModel.js';

/**
 * Reads whole files, but each only once until it changes.
 * @param path a model's folder or GGUF file; one outside of these stores has nothing to check
 * @param again how to get the model again
 * @throws InputError naming a file whose content isn't that of its name
 */
export async function checkStored(path: string, again: string): Promise<void> {
  const files = isFolder(path)
    ? readdirSync(path)
        .filter(name => MODEL_FILE.test(name))
        .map(name => join(path, name))
        .filter(existsSync)
    : [path];
  for (const file of files) {
    const blob = realpathSync(file);
    const hash = hashInName(blob);
    if (hash === null || isKnown(blob)) continue;
    if (!(await hasHash(blob, hash)))
      throw new InputError('the file is damaged: its content is not that of its hash', {
        file,
        hint: `Get the model again: ${again}.`,
      });
    remember(blob);
  }
}

/** `blobs/<sha256>`, `blobs/<git's sha1>` or Ollama's `blobs/sha256-<sha256>`. */
function hashInName(blob: string): BlobHash | null {
  const hex = /^(?:sha256-)?([0-9a-f]{64}|[0-9a-f]{40})$/.exec(basename(blob))?.[1];
  if (hex === undefined || basename(dirname(blob)) !== 'blobs') return null;
  return { kind: hex.length === 64 ? 'sha256' : 'git-sha1', hex };
}

/** An empty file, whose name tells this state of the blob from others. */
function markOf(blob: string): string {
  const { size, mtimeMs, ino } = statSync(blob);
  return join(checkedBlobsFolder(), `${basename(blob)}-${size}-${mtimeMs}-${ino}`);
}

function isKnown(blob: string): boolean {
  return regularFileSize(markOf(blob), 'refuse') !== null;
}

function remember(blob: string): void {
  try {
    makeFolder(checkedBlobsFolder());
    writeWhole(markOf(blob), '', 'refuse', 'write');
  } catch {
    // Checked again the next time.
  }
}
