// Resolves the `model` of a run file or a command to its opened files: the embedded model, a folder, a GGUF file, a short name, a
// model of the hub (cached first) or of Ollama. Called by every command that loads a model. Models on the machine are found without
// accessing the network.
import { distance } from 'fastest-levenshtein';
import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { packageRoot } from '../files/packageFile.js';
import { CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { EngineError } from '../../protocol/engineError.js';
import { openGguf } from '../files/ggufModel.js';
import { openHuggingFaceFolder } from '../files/huggingfaceFolder.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { HubUnreachableError } from './hubAccess.js';
import { parseHubReference } from './hubReference.js';
import { localModelIds } from './localModels.js';
import { findOllamaModel, ollamaFolder } from './ollamaStore.js';
import { cachedModel, pullModel, type PullOptions } from './pullModel.js';
import { cachedAlias, MODEL_ALIASES, pullAlias } from './pypiModel.js';
import { checkStored } from './storedBlobs.js';

export interface ResolveOptions {
  /** Base of relative paths: the run file's folder. */
  baseDir: string;
  /** Whether a model that isn't on the machine may be downloaded. */
  allowDownload: boolean;
  onProgress?: PullOptions['onProgress'];
  signal?: AbortSignal;
}

/** @throws InputError listing what was tried, with suggestions of similar names */
export async function resolveModel(reference: string, options: ResolveOptions): Promise<ModelFiles> {
  const path = await modelPath(reference, options);
  await checkStored(
    path,
    reference.startsWith('ollama:') ? `ollama pull ${reference.slice(7)}` : `tunewright models pull ${reference}`,
  );
  return statSync(path).isDirectory() ? openHuggingFaceFolder(path, reference) : openGguf(path, reference);
}

async function modelPath(reference: string, { baseDir, allowDownload, ...pull }: ResolveOptions): Promise<string> {
  if (reference.startsWith('embedded:')) return embeddedModel(reference);
  if (reference.startsWith('ollama:')) {
    const found = findOllamaModel(reference);
    if (found !== null) return found.path;
    throw notFound(reference, 'the model is not in the Ollama store', [ollamaFolder()]);
  }
  const path = resolve(baseDir, reference.replace(/^~(?=[\\/])/, homedir()));
  if (existsSync(path)) {
    if (statSync(path).isFile() && !path.endsWith('.gguf')) {
      throw new InputError('this file is not a model', { file: path, hint: 'Use a model folder or a .gguf file.' });
    }
    return path;
  }
  const tried = [`the path ${path}`];
  const pulled = async (download: Promise<string>) => {
    try {
      return await download;
    } catch (error) {
      throw error instanceof CodedError ? notPulled(reference, error, tried) : error;
    }
  };
  if (Object.hasOwn(MODEL_ALIASES, reference)) {
    const cached = cachedAlias(reference);
    if (cached !== null) return cached;
    tried.push('the downloaded models');
    if (allowDownload) return pulled(pullAlias(reference, pull));
    throw pullable(reference, tried);
  }
  const onHub = /^([./~]|[A-Za-z]:)/.test(reference) ? null : parseHubReference(reference);
  if (onHub) {
    const cached = cachedModel(onHub);
    if (cached !== null) return cached;
    tried.push(`the Hugging Face cache for ${onHub.id}`);
    if (allowDownload) return pulled(pullModel(reference, pull));
  }
  throw onHub ? pullable(reference, tried) : notFound(reference, NOT_HERE, tried);
}

const NOT_HERE = 'the model is not on this machine';

function pullable(reference: string, tried: string[]): InputError {
  const hint = `Download it: tunewright models pull ${reference}.`;
  return notFound(reference, NOT_HERE, tried, hint, 'model_not_pulled');
}

/** Why a model that isn't on the machine can't be downloaded. If the hub can't be reached, other input would not avoid it. */
function notPulled(reference: string, error: CodedError, tried: string[]): CodedError {
  const refused = notFound(reference, error.message, tried, error.hint);
  if (!(error instanceof HubUnreachableError)) return refused;
  const { message, ...details } = refused.record();
  return new HubUnreachableError(message, details);
}

/** In media/models of the package, which is above both the bundle and the sources. */
function embeddedModel(reference: string): string {
  const name = reference.slice('embedded:'.length);
  const folder = join(packageRoot(), 'media', 'models', name);
  if (!/^[\w-]+$/.test(name) || !existsSync(folder)) {
    throw new InputError('unknown embedded model', {
      code: 'model_not_found',
      file: reference,
      hint: 'Use embedded:tiny.',
    });
  }
  return folder;
}

function notFound(
  reference: string,
  message: string,
  tried: string[],
  hint?: string,
  code: EngineError['code'] = 'model_not_found',
): InputError {
  const all = ['embedded:tiny', ...Object.keys(MODEL_ALIASES), ...localModelIds()];
  const known = all.filter(id => id !== reference);
  const distanceTo = (id: string) => distance(reference.toLowerCase(), id.toLowerCase());
  const near = known
    .filter(id => distanceTo(id) <= Math.max(3, reference.length / 4))
    .toSorted((a, b) => distanceTo(a) - distanceTo(b));
  const hints = [
    near.length > 0 ? `Did you mean ${near.slice(0, 3).join(' or ')}?` : null,
    hint ?? 'List local models: tunewright models list.',
  ];
  return new InputError(`${message} (looked for ${tried.join(', ')})`, {
    code,
    file: reference,
    hint: hints.filter(Boolean).join(' '),
  });
}
