// The export targets: a new one is a file in this folder, a schema in protocol/exportConfig.ts and a line here.
// test/contract/exportTargets.test.ts loops over them.
import type { ExportName } from '../../../protocol/exportConfig.js';
import type { ExportTarget } from '../exportTarget.js';
import { adapterGguf } from './adapterGguf.js';
import { adapterMlx } from './adapterMlx.js';
import { folder } from './folder.js';
import { gguf } from './gguf.js';
import { hub } from './hub.js';
import { lmStudio } from './lmStudio.js';
import { mlx } from './mlx.js';
import { ollama } from './ollama.js';

/** In the order in which they are offered. */
export const exportTargets: readonly ExportTarget[] = [
  gguf,
  folder,
  mlx,
  adapterGguf,
  adapterMlx,
  ollama,
  lmStudio,
  hub,
];

export function exportTarget(name: ExportName): ExportTarget {
  return exportTargets.find(({ target }) => target === name)!;
}
