// Opens a pretrained model: files, backend, tokenizer, weights. Used by every command that computes.
import { absentTokenizer } from '../../core/text/absentTokenizer.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import { withinTime } from '../../system/boundedWork.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { DeviceSettings, UsedWeights, WeightSettings } from '../../protocol/engineConfig.js';
import type { Backend } from '../backend/backend.js';
import { collectGarbage } from '../machine/processMemory.js';
import { namesIn } from '../../system/regularFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { storedName } from '../models/architecture.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import type { CausalLm } from '../models/causalLm.js';
import { architectureOfFiles, findTensor, findTensors, loadModel, type LoadOptions } from '../models/loadModel.js';
import { weightLayouts, type WeightLayouts } from '../models/weightLayouts.js';
import type { TensorSpec } from '../peft/method.js';
import { resolveModel } from '../hub/resolveModel.js';
import { openDevice } from './openDevice.js';
import type { Reporter } from './reporter.js';
import { usableWeights } from './weightSettings.js';

/** Opens the model's files only, and downloads them if needed and allowed. @throws InputError if the model isn't found */
export function findModelFiles(
  reference: string,
  baseDir: string,
  reporter: Reporter,
  allowDownload = true,
): Promise<ModelFiles> {
  return resolveModel(reference, {
    baseDir,
    allowDownload,
    onProgress: ({ file, bytes, totalBytes }) => reporter.progress('download', bytes, totalBytes, file),
  });
}

/** @throws InputError if the model isn't found or can't be used */
export async function openModelFiles(reference: string, baseDir: string, reporter: Reporter): Promise<ModelOnDisk> {
  const files = await findModelFiles(reference, baseDir, reporter);
  const architecture = architectureOfFiles(files);
  const tokenizer = tokenizerOf(files);
  // Checks that the weights match the configuration before anything is derived from it.
  findTensors(files, architecture);
  return { files, architecture, tokenizer };
}

/** The model's tokenizer; without tokenizer.json, one that fails on any text. @throws InputError if it can't be used */
export function tokenizerOf({ tokenizer, path, format }: ModelFiles): TextTokenizer {
  return tokenizer
    ? createTokenizer(tokenizer, withinTime)
    : absentTokenizer(path, format === 'gguf' ? [] : namesIn(path));
}

/** How the model's matrices are stored in memory. */
export function layoutsOf({ files, architecture }: ModelOnDisk, settings: UsedWeights): WeightLayouts {
  return weightLayouts(architecture, findTensors(files, architecture), settings);
}

/**
 * Initial values of the trained copy of a base parameter whose frozen values are rounded: the unrounded ones from the file.
 * `undefined` for all other initializations.
 */
export function startOnDisk(
  { files, architecture }: ModelOnDisk,
  layouts: WeightLayouts,
  { init }: TensorSpec,
): Float32Array | undefined {
  if (init.kind !== 'base') return undefined;
  const name = storedName(architecture, init.name);
  if (!layouts.has(name)) return undefined;
  return findTensor(
    files,
    architecture,
    architecture.parameters.find(parameter => parameter.name === name)!,
  ).readFloat32();
}

export interface OpenedModel extends ModelOnDisk {
  backend: Backend;
  model: CausalLm;
}

/**
 * Opens the backend and reads the weights, to be used with or without an adapter.
 * @throws InputError if the backend doesn't support these settings
 */
export async function openModel(
  onDisk: ModelOnDisk,
  engine: DeviceSettings & WeightSettings,
  reporter: Reporter,
): Promise<OpenedModel> {
  const backend = await openDevice(onDisk.files, engine, reporter);
  return loadOnto(backend, onDisk, reporter, {
    settings: await usableWeights(engine, { ...engine, backend, method: null, reporter }),
  });
}

/** Reads the weights into an opened backend. */
export function loadOnto(
  backend: Backend,
  onDisk: ModelOnDisk,
  reporter: Reporter,
  options: Pick<LoadOptions, 'settings' | 'transposed'> = {},
): OpenedModel {
  const model = loadModel(onDisk.files, {
    ...options,
    onProgress: (done, total) => reporter.progress('load', done, total, onDisk.files.reference),
    onWarning: reporter.warn,
  });
  collectGarbage();
  return { ...onDisk, backend, model };
}
