// The files that a job reads, as parts that a cluster takes, each known by its hash: what the cluster has already isn't sent again.
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { zipSync } from 'fflate';
import { openRegularFile, readRange } from '../../system/regularFile.js';

/** Below the 100 MiB that a dashboard takes at once. */
const PART_BYTES = 48 << 20;

/** The folder in a package of a part, as in extension/python/train_on_ray.py. */
const PACKAGE_FOLDER = 'tunewright_parts';

export interface FilePart {
  sha256: string;
  bytes: number;
}

export interface JobFile {
  bytes: number;
  parts: FilePart[];
}

/** @param paths by the name in the job */
export function describeFiles(paths: ReadonlyMap<string, string>): Record<string, JobFile> {
  return Object.fromEntries([...paths].map(([name, path]) => [name, describeFile(path)]));
}

function describeFile(path: string): JobFile {
  const { descriptor, size } = openRegularFile(path);
  try {
    const parts: FilePart[] = [];
    for (let from = 0; from < size; from += PART_BYTES) {
      const bytes = readRange(descriptor, from, Math.min(size, from + PART_BYTES));
      parts.push({ sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length });
    }
    return { bytes: size, parts };
  } finally {
    closeSync(descriptor);
  }
}

/** The content of each of the parts that are asked for, once. */
export function* partContents(
  paths: ReadonlyMap<string, string>,
  files: Record<string, JobFile>,
  wanted: ReadonlySet<string>,
): Generator<{ sha256: string; content: Buffer }> {
  const done = new Set<string>();
  for (const [name, path] of paths) {
    const { descriptor } = openRegularFile(path);
    try {
      let from = 0;
      for (const { sha256, bytes } of files[name]!.parts) {
        if (wanted.has(sha256) && !done.has(sha256)) {
          done.add(sha256);
          yield { sha256, content: readRange(descriptor, from, from + bytes) };
        }
        from += bytes;
      }
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Names of packages are hashes of what is in them: one that is there has the same content. */
export function packageName(sha256: string): string {
  return `_ray_pkg_${sha256.slice(0, 40)}.zip`;
}

export function packageUri(sha256: string): string {
  return `gcs://${packageName(sha256)}`;
}

export function partPackage(sha256: string, content: Uint8Array): Uint8Array {
  return zip({ [`${PACKAGE_FOLDER}/${sha256}`]: content });
}

/** The same bytes for the same content: without the time. */
export function zip(files: Record<string, Uint8Array>): Uint8Array {
  return zipSync(files, { level: 6, mtime: new Date(1980, 0, 1) });
}
