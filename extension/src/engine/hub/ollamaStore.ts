// Models in Ollama's store: manifests/<host>/<namespace>/<name>/<tag> names the blob with the GGUF file.
// Called by resolveModel.ts and localModels.ts. Read-only.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { readJsonObject } from '../files/jsonFile.js';

export interface OllamaModel {
  /** `ollama:name:tag` */
  id: string;
  path: string;
}

export function ollamaFolder(): string {
  return process.env.OLLAMA_MODELS || join(homedir(), '.ollama', 'models');
}

export function listOllamaModels(): OllamaModel[] {
  const manifests = join(ollamaFolder(), 'manifests');
  if (!existsSync(manifests)) return [];
  const files = readdirSync(manifests, { recursive: true, encoding: 'utf8' }).map(name => join(manifests, name));
  return files
    .filter(file => statSync(file).isFile())
    .flatMap(file => {
      const path = modelBlob(file);
      return path === null ? [] : [{ id: modelId(relative(manifests, file)), path }];
    });
}

/** @param id `ollama:name` or `ollama:name:tag` */
export function findOllamaModel(id: string): OllamaModel | null {
  const models = listOllamaModels();
  return models.find(model => model.id === id) ?? models.find(model => model.id === `${id}:latest`) ?? null;
}

/** Host and namespace are omitted for models of Ollama's own registry. */
function modelId(path: string): string {
  const parts = path.split(sep);
  const tag = parts.pop();
  return `ollama:${parts.join('/').replace(/^registry\.ollama\.ai\/(library\/)?/, '')}:${tag}`;
}

function modelBlob(manifest: string): string | null {
  let layers: unknown;
  try {
    layers = readJsonObject(manifest)?.layers;
  } catch {
    // Not a manifest.
    return null;
  }
  if (!Array.isArray(layers)) return null;
  const model: { digest?: unknown } | undefined = layers.find(
    layer => layer?.mediaType === 'application/vnd.ollama.image.model',
  );
  const digest = /^sha256[:-]([0-9a-f]{64})$/.exec(typeof model?.digest === 'string' ? model.digest : '');
  const path = digest && join(ollamaFolder(), 'blobs', `sha256-${digest[1]}`);
  return path && existsSync(path) ? path : null;
}
