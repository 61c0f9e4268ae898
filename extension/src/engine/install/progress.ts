// The progress of an installation, and a way to measure that of other programs: the size of the files they write. Used by all
// installation steps. Never prints.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface InstallProgress {
  /** Stable name: wait, download, unpack, compile or check. */
  phase: string;
  /** Which library is being installed. */
  library?: 'tensorflow' | 'webgpu';
  /** Bytes for download and unpack, else 0. */
  done: number;
  /** Bytes; null if unknown. */
  total: number | null;
  /** Over the last seconds, if it is measured. */
  bytes_per_second?: number;
  message: string;
}

/** Passed to all installation steps. */
export interface InstallContext {
  onProgress: (progress: InstallProgress) => void;
  signal?: AbortSignal;
}

/** Bytes of all files in a folder; files that disappear in the meantime are ignored. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    try {
      bytes += entry.isDirectory() ? folderBytes(path) : statSync(path).size;
    } catch {
      // Moved or removed by the other program.
    }
  }
  return bytes;
}

/** Reports the growth of a folder while `work` runs. `work` may set the total once it is known. */
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
