// Downloads a model from the Hugging Face hub into the shared cache: only the files that training reads, each resumable and checked
// against its hash, also if it is in the cache. Called by `models pull` and resolveModel.ts. The revision is written last, so that an
// incomplete model is never taken for a complete one.
import { copyFileSync, existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { makeFolder } from '../../system/makeFolder.js';
import { InputError } from '../../core/inputError.js';
import { downloadBlob, hasHash, type BlobHash } from './downloadBlob.js';
import { hubEndpoint, hubFetch, HubUnreachableError } from './hubAccess.js';
import { commitOf, filesOf, type HubFile } from './hubAnswers.js';
import { cachedSnapshot, completeModel, modelCacheFolder, pickGguf } from './hubCache.js';
import { parseHubReference, type HubReference } from './hubReference.js';

export interface PullProgress {
  /** Current file. */
  file: string;
  /** Bytes of all files so far. */
  bytes: number;
  totalBytes: number;
}

export interface PullOptions {
  /** Branch, tag or commit. */
  revision?: string;
  onProgress?: (progress: PullProgress) => void;
  signal?: AbortSignal;
}

/** The files of a snapshot that are downloaded and read. */
export const MODEL_FILE =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template|model\.safetensors\.index)\.json$|^chat_template\.jinja$|^model(-\d+-of-\d+)?\.safetensors$/;

/**
 * @param text `org/name`, `org/name:file.gguf` or `hf.co/org/name:Q4_K_M`
 * @returns the snapshot folder, or the GGUF file in it
 * @throws HubUnreachableError if the hub can't be reached and the model isn't cached, else InputError
 */
export async function pullModel(text: string, options: PullOptions = {}): Promise<string> {
  const reference = parseHubReference(text);
  if (!reference) {
    throw new InputError('this is not the id of a model on the hub', {
      file: text,
      hint: 'Use org/name or org/name:file.gguf.',
    });
  }
  const revision = options.revision ?? 'main';
  // It becomes a path in the cache.
  if (!/^[\w.-]+(\/[\w.-]+)*$/.test(revision) || revision.includes('..')) {
    throw new InputError('this is not a valid revision', {
      file: revision,
      hint: 'Use a branch, a tag or a commit.',
    });
  }
  try {
    return await pullFromHub(reference, revision, options);
  } catch (error) {
    const cached = error instanceof HubUnreachableError ? cachedModel(reference, revision) : null;
    if (cached !== null) return cached;
    throw error;
  }
}

/** The model in the cache; null if it is not complete. Never accesses the network. */
export function cachedModel({ id, gguf }: HubReference, revision = 'main'): string | null {
  const snapshot = cachedSnapshot(id, revision);
  return snapshot === null ? null : completeModel(snapshot, gguf);
}

async function pullFromHub({ id, gguf }: HubReference, revision: string, options: PullOptions): Promise<string> {
  const access = { id, fetch: hubFetch(id, options.signal) };
  const sha = await commitOf(access, revision);
  // Paths become paths in the cache, so only plain file names are accepted.
  const entries = (await filesOf(access, sha)).filter(({ path }) => /^[\w-][\w. +-]*$/.test(path));
  const wanted = wantedFiles(entries, id, gguf);

  const folder = modelCacheFolder(id);
  const snapshot = join(folder, 'snapshots', sha);
  const totalBytes = wanted.reduce((total, { size }) => total + size, 0);
  let earlierBytes = 0;
  for (const entry of wanted) {
    const report = (bytes: number) =>
      options.onProgress?.({ file: entry.path, bytes: earlierBytes + bytes, totalBytes });
    const hash = hashOf(entry, id);
    const blob = join(folder, 'blobs', hash.hex);
    if (!existsSync(blob) || !(await hasHash(blob, hash))) {
      await downloadBlob({
        url: `${hubEndpoint()}/${id}/resolve/${sha}/${encodeURIComponent(entry.path)}`,
        fetch: access.fetch,
        path: blob,
        size: entry.size,
        hash,
        name: `${id}/${entry.path}`,
        onBytes: report,
        signal: options.signal,
      });
    }
    report(entry.size);
    earlierBytes += entry.size;
    link(blob, join(snapshot, entry.path));
  }
  if (revision !== sha) {
    const ref = join(folder, 'refs', revision);
    makeFolder(dirname(ref));
    writeFileSync(ref, sha);
  }
  const model = completeModel(snapshot, gguf);
  if (model === null) throw new InputError('the index of the model names missing shards', { file: id });
  return model;
}

function wantedFiles(entries: HubFile[], id: string, gguf: string | null): HubFile[] {
  const names = entries.map(({ path }) => path);
  const ggufFiles = names.filter(name => name.endsWith('.gguf'));
  const listed = ggufFiles.length > 0 ? `It has ${ggufFiles.map(name => `${id}:${name}`).join(', ')}.` : undefined;
  if (gguf !== null) {
    const name = pickGguf(names, gguf);
    if (name === null) throw new InputError(`the model has no GGUF file ${gguf}`, { file: id, hint: listed });
    return entries.filter(({ path }) => path === name);
  }
  if (!names.includes('config.json') || !names.some(name => /^model.*\.safetensors$/.test(name))) {
    const bin = names.some(name => /^pytorch_model.*\.bin$/.test(name));
    throw new InputError(
      bin
        ? 'the weights are only available as pytorch_model.bin'
        : 'the model has no config.json with model.safetensors',
      {
        file: id,
        hint: listed ?? 'Use a model with safetensors weights.',
      },
    );
  }
  // If the weights exist both as one file and as shards, the one file is enough.
  const single = names.includes('model.safetensors');
  return entries.filter(({ path }) => MODEL_FILE.test(path) && !(single && /-of-|index/.test(path)));
}

function hashOf({ path, oid, lfs }: HubFile, id: string): BlobHash {
  const hex = lfs?.oid ?? oid;
  // It becomes a file name in the cache.
  if (hex === undefined || !/^[0-9a-f]{40,64}$/.test(hex))
    throw new InputError('the hub does not name a hash for this file', { file: `${id}/${path}` });
  return { kind: lfs ? 'sha256' : 'git-sha1', hex };
}

function link(blob: string, path: string): void {
  makeFolder(dirname(path));
  rmSync(path, { force: true });
  try {
    symlinkSync(relative(dirname(path), blob), path);
  } catch {
    // Windows allows symbolic links only with special permission.
    copyFileSync(blob, path);
  }
}
