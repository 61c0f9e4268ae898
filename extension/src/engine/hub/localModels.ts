// Lists the models on this machine, in the caches of Hugging Face, Ollama, LM Studio and this program. Called by `models list`, and
// by resolveModel.ts to suggest names. Reads headers only, not weights; a broken model is listed with the reason.
import { existsSync, readdirSync, statSync, type Dirent } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { readGgufHeader } from '../files/ggufHeader.js';
import { GGUF_ARCHITECTURES } from '../files/ggufNames.js';
import { quantizations } from '../files/ggufQuantization.js';
import { openHuggingFaceFolder } from '../files/huggingfaceFolder.js';
import { readJsonObject } from '../files/jsonFile.js';
import { plainDtypes } from '../files/plainDtype.js';
import { quantizationInConfig, quantizationText } from '../files/quantizedFolder.js';
import { RandomAccessFile } from '../files/randomAccessFile.js';
import { architectureOf, modelFamilies } from '../models/registry.js';
import { baseModelOf } from '../models/modelCard.js';
import { cachedSnapshot, completeModel, hubCacheFolder } from './hubCache.js';
import { lmStudioModelsFolder } from './lmStudioStore.js';
import { listOllamaModels } from './ollamaStore.js';
import { MODEL_ALIASES, pulledModelsFolder } from './pypiModel.js';
import { statOf } from '../../system/fileStat.js';

export interface LocalModel {
  /** What to write as `model` in a run file. */
  id: string;
  store: 'huggingface' | 'ollama' | 'lmstudio' | 'tunewright' | 'folder';
  path: string;
  format: 'huggingface' | 'gguf';
  sizeBytes: number;
  /** Hugging Face's `model_type`, or GGUF's architecture; null if it can't be read. */
  modelType: string | null;
  /** Why it can't be trained; null if it can. */
  reason: string | null;
  /** The model that it was made from, as its model card says; null if that isn't known. */
  base: string | null;
}

/** @param folders of models outside the stores, which are listed first */
export function listLocalModels(folders: readonly string[] = []): LocalModel[] {
  return [...folders.map(folder => modelFolder(folder, 'folder', folder)), ...storedModels()].map(described);
}

/** The ids of the models in the stores. Opens none of them. */
export function localModelIds(): string[] {
  return storedModels().map(({ id }) => id);
}

/** A model that has not been opened. */
type StoredModel = Pick<LocalModel, 'id' | 'store' | 'path' | 'format'>;

function storedModels(): StoredModel[] {
  return [...pulledModels(), ...huggingFaceModels(), ...ollamaModels(), ...lmStudioModels()];
}

function pulledModels(): StoredModel[] {
  return Object.keys(MODEL_ALIASES).flatMap(alias => {
    const folder = join(pulledModelsFolder(), alias);
    return ggufFiles(folder).map(name => ggufFile(alias, 'tunewright', join(folder, name)));
  });
}

function huggingFaceModels(): StoredModel[] {
  return entries(hubCacheFolder()).flatMap(({ name }) => {
    if (!name.startsWith('models--')) return [];
    const id = name.slice('models--'.length).replaceAll('--', '/');
    const snapshot = cachedSnapshot(id, 'main');
    if (snapshot === null) return [];
    const files = ggufFiles(snapshot).map(file => ggufFile(`${id}:${file}`, 'huggingface', join(snapshot, file)));
    const isFolder = existsSync(join(snapshot, 'config.json'));
    return isFolder ? [modelFolder(id, 'huggingface', snapshot), ...files] : files;
  });
}

function ollamaModels(): StoredModel[] {
  return listOllamaModels().map(({ id, path }) => ggufFile(id, 'ollama', path));
}

/** LM Studio has publisher/repository/files; the location of its store has changed over time. */
function lmStudioModels(): StoredModel[] {
  const usual = ['.lmstudio', join('.cache', 'lm-studio')].map(home => join(homedir(), home, 'models'));
  const stores = new Set([...usual, lmStudioModelsFolder()]);
  const repositories = [...stores].flatMap(folders).flatMap(folders);
  return repositories.flatMap(folder => {
    const files = ggufFiles(folder).map(name => ggufFile(join(folder, name), 'lmstudio', join(folder, name)));
    const isFolder = existsSync(join(folder, 'config.json'));
    return isFolder ? [modelFolder(folder, 'lmstudio', folder), ...files] : files;
  });
}

function ggufFile(id: string, store: LocalModel['store'], path: string): StoredModel {
  return { id, store, path, format: 'gguf' };
}

function modelFolder(id: string, store: LocalModel['store'], path: string): StoredModel {
  return { id, store, path, format: 'huggingface' };
}

function described(model: StoredModel): LocalModel {
  const { path, format } = model;
  if (format === 'gguf')
    return { ...model, sizeBytes: statSync(path).size, ...inspected(() => ggufModelType(path)), base: null };
  return { ...model, sizeBytes: folderBytes(path), ...inspected(() => folderModelType(path)), base: baseModelOf(path) };
}

interface Inspected {
  modelType: string | null;
  reason: string | null;
}

function inspected(inspect: () => Inspected): Inspected {
  try {
    return inspect();
  } catch (error) {
    if (error instanceof InputError) return { modelType: null, reason: error.message };
    throw error;
  }
}

function ggufModelType(path: string): Inspected {
  const file = new RandomAccessFile(path);
  try {
    const { metadata, tensors } = readGgufHeader(file);
    const architecture = metadata.get('general.architecture');
    const modelType = typeof architecture === 'string' ? architecture : null;
    if (modelType === null || !GGUF_ARCHITECTURES.includes(modelType)) {
      return { modelType, reason: `the architecture ${modelType} is not supported` };
    }
    const unread = tensors.find(({ dtype }) => !(dtype in plainDtypes) && !(dtype in quantizations));
    return { modelType, reason: unread ? `${unread.dtype} weights are not supported` : null };
  } finally {
    file.close();
  }
}

function folderModelType(path: string): Inspected {
  const config = readJsonObject(join(path, 'config.json')) ?? {};
  const modelType = typeof config.model_type === 'string' ? config.model_type : null;
  if (!modelFamilies.some(family => family.modelType === modelType)) {
    return { modelType, reason: `the model_type ${modelType} is not supported` };
  }
  const named = quantizationInConfig(config);
  if (named) return { modelType, reason: `its weights are quantized (${quantizationText(named)})` };
  if (completeModel(path, null) === null) return { modelType, reason: 'the safetensors weights are incomplete' };
  return { modelType, reason: reasonAgainst(path) };
}

/** The error of a command that opens the folder, without reading weights; null if there is none. */
function reasonAgainst(path: string): string | null {
  try {
    const files = openHuggingFaceFolder(path, path);
    files.close();
    architectureOf(files.config, path);
    return null;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

function ggufFiles(folder: string): string[] {
  // mmproj files are projectors of vision models, not models.
  return entries(folder)
    .map(({ name }) => name)
    .filter(name => name.endsWith('.gguf') && !name.startsWith('mmproj') && existsSync(join(folder, name)));
}

function folders(folder: string): string[] {
  return entries(folder)
    .filter(entry => entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

function entries(folder: string): Dirent[] {
  return existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
}

function folderBytes(folder: string): number {
  const files = entries(folder).map(({ name }) => statOf(join(folder, name)));
  return files.reduce((total, stat) => total + (stat?.isFile() ? stat.size : 0), 0);
}
