// The files of a folder that is about to be written, with their sizes, so that a plan and the writing of it can't differ.
import { join } from 'node:path';
import { writeFileAtomically } from './atomicFile.js';

export interface FolderFile {
  bytes: number;
  write(path: string): void | Promise<void>;
}

/** By their path in the folder. */
export type FolderFiles = ReadonlyMap<string, FolderFile>;

export function contentFile(content: Buffer): FolderFile {
  return { bytes: content.length, write: path => writeFileAtomically(path, append => append(content)) };
}

export function jsonFile(value: Record<string, unknown>): FolderFile {
  return contentFile(Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
}

export async function writeFolderFiles(folder: string, files: FolderFiles): Promise<void> {
  for (const [name, file] of files) await file.write(join(folder, name));
}

export function bytesOf(files: FolderFiles): number {
  return [...files.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}
