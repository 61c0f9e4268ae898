// Opens a pretrained model for use: files, backend, tokenizer, weights. Every command that computes comes through here.
import { InputError } from '../../core/inputError.js';
import { createTokenizer } from '../../core/text/huggingFaceTokenizer.js';
import type { EngineConfig, UsedWeights } from '../../protocol/runConfig.js';
import type { Backend } from '../backend/backend.js';
import { openBackend } from '../backend/openBackend.js';
import { collectGarbage } from '../machine/processMemory.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { storedName } from '../models/architecture.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import type { CausalLm } from '../models/causalLm.js';
import { architectureOfFiles, findTensor, findTensors, loadModel } from '../models/loadModel.js';
import { weightLayouts, type WeightLayouts } from '../models/weightLayouts.js';
import type { TrainableSpec } from '../peft/method.js';
import { resolveModel } from '../hub/resolveModel.js';
import type { Reporter } from './reporter.js';
import { usableWeights } from './weightSettings.js';

/** The model's files alone, downloaded where they aren't on the machine and may be. @throws InputError where there is none */
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

/** @throws InputError where the model isn't found or can't be used */
export async function openModelFiles(reference: string, baseDir: string, reporter: Reporter): Promise<ModelOnDisk> {
  const files = await findModelFiles(reference, baseDir, reporter);
  const architecture = architectureOfFiles(files);
  if (!files.tokenizer)
    throw new InputError('the model has no tokenizer.json', {
      file: files.path,
      hint: 'Copy the tokenizer.json and tokenizer_config.json of the model beside its weights.',
    });
  const tokenizer = createTokenizer(files.tokenizer);
  if (tokenizer.vocabSize > architecture.vocabSize)
    throw new InputError(
      `the tokenizer has ${tokenizer.vocabSize} tokens, the model embeds only ${architecture.vocabSize}`,
      { file: files.path, hint: 'Tokenizer and weights belong to different models.' },
    );
  // Before anything is worked out from a configuration that the weights belie.
  findTensors(files, architecture);
  return { files, architecture, tokenizer };
}

/** How the model's matrices will be held. */
export function layoutsOf({ files, architecture }: ModelOnDisk, settings: UsedWeights): WeightLayouts {
  return weightLayouts(architecture, findTensors(files, architecture), settings);
}

/**
 * What a trained copy of a base parameter starts from where the frozen one is rounded: the file's own values. undefined for
 * a start of another kind.
 */
export function startOnDisk(
  { files, architecture }: ModelOnDisk,
  layouts: WeightLayouts,
  { init }: TrainableSpec,
): Float32Array | undefined {
  if (init.kind !== 'base') return undefined;
  const name = storedName(architecture, init.name);
  if (!layouts.has(name)) return undefined;
  return findTensor(
    files,
    architecture.parameters.find(parameter => parameter.name === name)!,
  ).readFloat32();
}

export interface OpenedModel extends ModelOnDisk {
  backend: Backend;
  model: CausalLm;
}

/**
 * Opens the backend and reads the weights, to be used with an adapter or without.
 * @throws InputError where the backend can't have them so
 */
export async function openModel(
  onDisk: ModelOnDisk,
  engine: Omit<EngineConfig, 'compile'>,
  reporter: Reporter,
): Promise<OpenedModel> {
  const backend = await openBackend({ ...engine, onWarning: reporter.warn });
  return loadOnto(
    backend,
    onDisk,
    reporter,
    await usableWeights(engine, { ...engine, backend, method: null, reporter }),
  );
}

/** Reads the weights into a backend that is open already. */
export function loadOnto(
  backend: Backend,
  onDisk: ModelOnDisk,
  reporter: Reporter,
  settings?: UsedWeights,
): OpenedModel {
  const model = loadModel(onDisk.files, {
    settings,
    onProgress: (done, total) => reporter.progress('load', done, total, onDisk.files.reference),
    onWarning: reporter.warn,
  });
  collectGarbage();
  return { ...onDisk, backend, model };
}
