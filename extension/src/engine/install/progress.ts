// What an installation tells while it runs, and the one way it measures other programs' work: the size of the files they
// write. Called by every installation step. Never prints: the command line does.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface InstallProgress {
  /** Stable name: wait, download, unpack, compile or check. */
  phase: string;
  /** Bytes for download and unpack, else 0. */
  done: number;
  /** Bytes, or null where nobody knows. */
  total: number | null;
  /** Of the last seconds, where it is measured. */
  bytes_per_second?: number;
  message: string;
}

/** What every installation step is handed. */
export interface InstallContext {
  onProgress: (progress: InstallProgress) => void;
  signal?: AbortSignal;
}

/** Bytes of all files in a folder; a file that goes while it is counted counts as nothing. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    try {
      bytes += entry.isDirectory() ? folderBytes(path) : statSync(path).size;
    } catch {
      // moved or removed by the program that is watched
    }
  }
  return bytes;
}

/** Reports how a folder grows while `work` runs. `work` may name the total as soon as it knows it. */
export async function reportGrowth<T>(
  folder: string,
  progress: { phase: string; message: string },
  onProgress: (progress: InstallProgress) => void,
  work: (setTotal: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const start = folderBytes(folder);
  let total: number | null = null;
  const report = () => {
    const grown = Math.max(0, folderBytes(folder) - start);
    onProgress({ ...progress, done: total === null ? grown : Math.min(grown, total), total });
  };
  report();
  const timer = setInterval(report, 250);
  try {
    return await work(bytes => {
      total = bytes;
    });
  } finally {
    clearInterval(timer);
  }
}
