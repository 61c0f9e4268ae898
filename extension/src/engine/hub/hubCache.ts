// The shared Hugging Face cache on this machine, in the layout that Python's huggingface_hub uses:
// models--org--name/{blobs/<etag>, refs/<revision>, snapshots/<commit>/<file> -> ../../blobs/<etag>}.
// Called by pullModel.ts, resolveModel.ts and localModels.ts. Never accesses the network.
import { getHFHubCachePath, getRepoFolderName } from '@huggingface/hub';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../../system/regularFile.js';
import { readJsonObject } from '../files/jsonFile.js';

/** HF_HUB_CACHE, or hub/ in HF_HOME, or ~/.cache/huggingface/hub. */
export function hubCacheFolder(): string {
  return getHFHubCachePath();
}

/** The cache folder of one model, whether it exists or not. */
export function modelCacheFolder(id: string): string {
  return join(hubCacheFolder(), getRepoFolderName({ name: id, type: 'model' }));
}

/**
 * The latest snapshot of a revision in the cache, complete or not.
 * @param revision branch, tag or commit
 */
export function cachedSnapshot(id: string, revision: string): string | null {
  const folder = modelCacheFolder(id);
  const ref = join(folder, 'refs', revision);
  const commit = readText(ref)?.trim() ?? revision;
  const snapshot = join(folder, 'snapshots', commit);
  return existsSync(snapshot) ? snapshot : null;
}

/**
 * The model in a snapshot or a folder; null if files are missing.
 * @param gguf null for a Hugging Face folder, else a file name or part of one, such as Q4_K_M
 * @returns the folder, or the path of the GGUF file
 */
export function completeModel(snapshot: string, gguf: string | null): string | null {
  if (gguf !== null) {
    const name = pickGguf(readdirSync(snapshot), gguf);
    return name !== null && existsSync(join(snapshot, name)) ? join(snapshot, name) : null;
  }
  const has = (name: string) => existsSync(join(snapshot, name));
  if (!has('config.json')) return null;
  if (has('model.safetensors')) return snapshot;
  const weightMap = readJsonObject(join(snapshot, 'model.safetensors.index.json'))?.weight_map;
  if (typeof weightMap !== 'object' || weightMap === null) return null;
  return [...new Set(Object.values(weightMap))].every(shard => typeof shard === 'string' && has(shard))
    ? snapshot
    : null;
}

/** The GGUF file with this name, or the first whose name contains it, as in `hf.co/org/name:Q4_K_M`. */
export function pickGguf(names: string[], wanted: string): string | null {
  const files = names.filter(name => name.toLowerCase().endsWith('.gguf')).toSorted();
  const part = wanted.toLowerCase();
  return files.find(name => name === wanted) ?? files.find(name => name.toLowerCase().includes(part)) ?? null;
}
