// What a folder of the workspace is, by its files: a model, an adapter, or a run. Used by the searches for datasets and models, since
// other JSON files in such folders are neither. Imports no vscode.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isWithin } from '../system/isWithin.js';
import { readText, regularFileSize } from '../system/regularFile.js';

export type ArtifactKind = 'model' | 'adapter' | 'run';

/** Configs of models have some kilobytes. */
const MAX_CONFIG_BYTES = 1 << 20;

export function artifactKind(folder: string): ArtifactKind | null {
  if (existsSync(join(folder, 'run.json')) && existsSync(join(folder, 'events.ndjson'))) return 'run';
  if (existsSync(join(folder, 'adapter_config.json'))) return 'adapter';
  return isModelConfig(join(folder, 'config.json')) ? 'model' : null;
}

/** Whether a file is the config.json of a model, and not of any other program. */
export function isModelConfig(path: string): boolean {
  const size = regularFileSize(path, 'follow');
  if (size === null || size > MAX_CONFIG_BYTES) return false;
  try {
    const config = JSON.parse(readText(path, 'follow', MAX_CONFIG_BYTES) ?? '') as Record<string, unknown> | null;
    return typeof config?.['model_type'] === 'string' || Array.isArray(config?.['architectures']);
  } catch {
    return false;
  }
}

/**
 * Whether a file belongs to a run (at any depth), or is next to the files of a model or an adapter. The workspace's own folder may
 * be that of a model.
 * @param root the workspace folder
 */
export function isPartOfArtifact(path: string, root: string): boolean {
  const folder = dirname(path);
  for (let above = folder; isWithin(above, root); above = dirname(above)) {
    const kind = above === folder || isRun(above) ? artifactKind(above) : null;
    if (kind === 'run' || (kind !== null && above !== root)) return true;
    if (above === root) return false;
  }
  return false;
}

function isRun(folder: string): boolean {
  return existsSync(join(folder, 'events.ndjson'));
}
