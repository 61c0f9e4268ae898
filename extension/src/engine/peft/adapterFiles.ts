// Adapters on disk: PEFT's adapter_config.json + adapter_model.safetensors, SELECTIVE's own pair, or a whole model for
// FULL. Reading checks every name and shape before anything is allocated.
import { readChatTemplates } from '../files/huggingfaceFolder.js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { schemaError } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { createRng } from '../data/rng.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors, writeDeviceTensors, writeSafetensors } from '../files/safetensors.js';
import type { TensorEntry } from '../files/tensorEntry.js';
import { sameValues, type ModelFiles, type StoredTensor } from '../files/tensorSource.js';
import type { CausalLm } from '../models/causalLm.js';
import { sizeOf, type Architecture } from '../models/architecture.js';
import { Adapter } from './adapter.js';
import { refuseUsed, unknownKeys } from './adapterConfig.js';
import { AttachedMethod } from './attachedMethod.js';
import { trainedOf, type PeftMethod, type Purpose, type TensorSpec } from './method.js';
import { peftMethod, peftMethods } from './registry.js';
import { currentKey, savedEmbeddings, withSavedRows } from './savedEmbeddings.js';

/** The PEFT version whose file format is written. */
const PEFT_VERSION = '0.21.2';

const FILES = {
  adapter: { config: 'adapter_config.json', tensors: 'adapter_model.safetensors' },
  selective: { config: 'selective_config.json', tensors: 'selected_model.safetensors' },
} as const;

/** The pairs of files that an adapter can consist of. */
export const adapterFileNames: readonly { config: string; tensors: string }[] = Object.values(FILES);

export interface SavedAdapter {
  folder: string;
  /** Where its own tokenizer is, if it has one. */
  tokenizerFolder: string;
  /** chat_template that it was trained with; null: its base's. */
  chatTemplate: unknown;
  /** Path of its adapter_config.json, or of a checkpoint's run.json, for messages. */
  configFile: string;
  /** The method, with its config in the form of a run file. */
  attached: AttachedMethod;
  /** Keys of the embedding and head in the file, whether or not they differ from the base's. */
  embeddings: ReadonlySet<string>;
  /** base_model_name_or_path: the model it was trained on; null if the file doesn't say. */
  baseModel: string | null;
  /** Rows of the base model's embedding. */
  baseVocabulary: number;
  /** By the names that PEFT's files have today. */
  tensors: ReadonlyMap<string, StoredTensor>;
  /** Which tensors it has: those of an adapter file, or the trained ones, as a checkpoint. */
  purpose: Purpose;
  close(): void;
}

/** JSON as PEFT writes it: sorted keys, indented by two. */
function sortedJson(value: Record<string, unknown>): string {
  return `${JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`;
}

/**
 * Writes an adapter folder. Methods whose `storage` is 'model' are written by writeModelFolder instead.
 * @param baseModel how PEFT finds the base model: a hub id or a path
 */
export async function saveAdapter(folder: string, adapter: Adapter, baseModel: string): Promise<void> {
  const { method } = adapter;
  if (method.storage === 'model') throw new Error(`${method.peftType} is saved as a model, not as an adapter`);
  const files = FILES[method.storage];
  const tensors = adapter.exportTensors();
  try {
    await writeDeviceTensors(join(folder, files.tensors), tensors);
  } finally {
    tf.dispose([...tensors.values()]);
  }
  writeConfig(join(folder, files.config), {
    peft_type: method.peftType,
    base_model_name_or_path: baseModel,
    ...adapter.attached.toAdapterConfig(),
  });
}

/** Writes an adapter in PEFT's format from values in memory. @param config with peft_type and base_model_name_or_path */
export function writeAdapter(folder: string, config: Record<string, unknown>, tensors: Iterable<TensorEntry>): void {
  writeSafetensors(join(folder, FILES.adapter.tensors), tensors);
  writeConfig(join(folder, FILES.adapter.config), config);
}

function writeConfig(path: string, config: Record<string, unknown>): void {
  const json = sortedJson({
    task_type: 'CAUSAL_LM',
    auto_mapping: null,
    inference_mode: true,
    peft_version: PEFT_VERSION,
    revision: null,
    ...config,
  });
  writeFileAtomically(path, append => append(Buffer.from(json)));
}

export interface OpenOptions {
  /** The base model, so that copies of its embedding and head are recognized as such. */
  files?: ModelFiles;
  onWarning?: (code: string, message: string) => void;
}

/** An adapter folder before its config is read. */
export interface AdapterFolder extends Pick<SavedAdapter, 'folder' | 'configFile' | 'tensors' | 'close'> {
  method: PeftMethod;
  /** adapter_config.json */
  json: Record<string, unknown>;
  baseModel: string | null;
}

/** @throws InputError if the folder has no adapter, or one of an unknown method */
export function openAdapterFolder(folder: string): AdapterFolder {
  const files = adapterFileNames.find(({ config }) => existsSync(join(folder, config)));
  if (!files) throw noAdapter(folder);
  const configFile = join(folder, files.config);
  const json = readJsonObject(configFile)!;
  const method = peftMethod(json['peft_type'] as string);
  if (!method)
    throw new InputError(`peft_type ${JSON.stringify(json['peft_type'] ?? null)} is not supported`, {
      file: configFile,
      hint: `Supported: ${peftMethods.map(known => known.peftType).join(', ')}.`,
    });
  if (!existsSync(join(folder, files.tensors)))
    throw new InputError(`${files.tensors} is missing`, {
      file: folder,
      hint: 'If the adapter was saved as adapter_model.bin, save it again with PEFT and safe_serialization=True.',
    });
  const { tensors: stored, close } = openSafetensors(join(folder, files.tensors));
  let tensors: Map<string, StoredTensor>;
  try {
    tensors = byCurrentKey(stored.values());
  } catch (error) {
    close();
    throw error;
  }
  const baseModel = json['base_model_name_or_path'];
  return {
    folder,
    configFile,
    method,
    json,
    baseModel: typeof baseModel === 'string' ? baseModel : null,
    tensors,
    close,
  };
}

/** PEFT writes some saved modules twice. @throws InputError for a tensor that is there under two names with two values */
function byCurrentKey(stored: Iterable<StoredTensor>): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const tensor of stored) {
    const key = currentKey(tensor.name);
    if (key === null) continue;
    const other = tensors.get(key);
    if (other && !sameValues(other, tensor))
      throw new InputError(`this is the same tensor as ${other.name}, with other values`, {
        ...tensor.place,
        hint: 'Save the adapter again with PEFT.',
      });
    tensors.set(key, tensor);
  }
  return tensors;
}

/**
 * Opens an adapter folder, written by PEFT or by this program. If it has an embedding with another number of rows, its
 * method is attached to an architecture with that vocabulary.
 * @throws InputError if the folder has no adapter, or one of an unknown method or with an unsupported config
 */
export function openAdapter(
  folder: string,
  architecture: Architecture,
  { files: base, onWarning }: OpenOptions = {},
): SavedAdapter {
  const { method, json, ...opened } = openAdapterFolder(folder);
  const { configFile, tensors, close } = opened;
  try {
    const { keys, replacing } = savedEmbeddings(tensors, architecture, base ?? null);
    const resized = withSavedRows(tensors, architecture);
    const parse = () => method.fromAdapterConfig(json, resized, configFile);
    const config = readConfig({ method, json, configFile }, parse, onWarning);
    return {
      ...opened,
      tokenizerFolder: folder,
      chatTemplate: readChatTemplates(folder),
      purpose: 'inference',
      attached: new AttachedMethod(method, config, resized, replacing),
      embeddings: new Set(keys),
      baseVocabulary: architecture.vocabSize,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Says what the folder is instead, if it is recognized. */
function noAdapter(folder: string): InputError {
  const has = (...path: string[]) => existsSync(join(folder, ...path));
  if (has('config.json'))
    return new InputError('this is a whole model, not an adapter', {
      file: folder,
      hint: 'Use it as the model itself: "model" of the run file without method.init_from, or --model without --adapter.',
    });
  if (!existsSync(folder))
    return new InputError('this folder does not exist', {
      file: folder,
      hint: 'Check the path. A run deletes its older checkpoints (training.save_total_limit).',
    });
  const result = ['adapter', 'model'].find(name => has(name));
  if (has('run.json') && result)
    return new InputError('this is the folder of a run, not an adapter', {
      file: folder,
      hint: `The ${result} is in ${join(folder, result)}.`,
    });
  if (has('trainable.safetensors'))
    return new InputError('this is a checkpoint of a run, not an adapter', {
      file: folder,
      hint: 'Resume its run with --resume, and stop it: that saves the adapter.',
    });
  return new InputError('no adapter found in this folder', {
    file: folder,
    hint: `An adapter folder contains ${FILES.adapter.config} and ${FILES.adapter.tensors}.`,
  });
}

/** What `parse` makes of the config. @throws InputError for a key with an unsupported value */
export function readConfig<Config>(
  { method, json, configFile: file }: Pick<AdapterFolder, 'method' | 'json' | 'configFile'>,
  parse: () => Config,
  onWarning: OpenOptions['onWarning'],
): Config {
  if (method.otherKeys) {
    const { withoutEffect, refused } = method.otherKeys;
    refuseUsed(refused, json, file);
    const unknown = unknownKeys(
      [...Object.keys((method.schema as unknown as z.ZodObject).shape), ...withoutEffect, ...refused],
      json,
    );
    if (unknown.length > 0) onWarning?.('adapter_keys_unknown', `${file}: ignored unknown keys: ${unknown.join(', ')}`);
  }
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw schemaError(error, method.schema, json, { file });
  }
}

function trainedOnHint({ baseModel }: SavedAdapter): string {
  return baseModel ? `It was trained on ${baseModel}.` : 'It was trained on another base model.';
}

/**
 * The tensors that a saved adapter must have for this base model; reads no values.
 * @throws InputError if the base model lacks modules that the adapter changes
 */
export function planOfSaved(saved: SavedAdapter, purpose: Purpose): readonly TensorSpec[] {
  try {
    const plan = saved.attached.plan(purpose);
    checkResized(saved, plan);
    return plan;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`the adapter doesn't fit this base model: ${error.message}`, {
      file: saved.configFile,
      hint: [trainedOnHint(saved), error.hint].filter(Boolean).join(' '),
    });
  }
}

/** @throws InputError if only one of embedding and head has the rows of a resized vocabulary, which both need */
function checkResized({ attached, baseVocabulary, configFile }: SavedAdapter, plan: readonly TensorSpec[]): void {
  const { embedding, head, vocabSize } = attached.architecture;
  if (vocabSize === baseVocabulary) return;
  const replaced = new Set(plan.flatMap(({ replaces = [] }) => replaces));
  const missing = [embedding, head].find(module => !replaced.has(`${module}.weight`));
  if (missing !== undefined || attached.virtualTokens > 0)
    throw new InputError(
      `it has a vocabulary of ${vocabSize} tokens, the base model one of ${baseVocabulary}` +
        (missing === undefined ? '' : `, and the file has no ${missing}`),
      {
        file: configFile,
        hint:
          'Resize the base in Transformers, with resize_token_embeddings, and load the adapter there; then save it with ' +
          'save_embedding_layers=True, or save the merged model and use that as the base.',
      },
    );
}

/** @throws InputError that names a tensor that is missing, unexpected or of another shape */
export function checkAdapterTensors(saved: SavedAdapter, plan: readonly TensorSpec[]): void {
  const trainedOn = trainedOnHint(saved);
  const expected = new Set(plan.map(spec => spec.key));
  for (const { key, shape, frozen } of plan) {
    const tensor = saved.tensors.get(key);
    if (!tensor && (frozen === 'recomputed' || (frozen && saved.purpose === 'training'))) continue;
    if (!tensor) throw new InputError(`tensor ${key} is missing`, { file: saved.folder, hint: trainedOn });
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
      throw new InputError(`has shape [${tensor.shape.join(', ')}], but this base model needs [${shape.join(', ')}]`, {
        ...tensor.place,
        hint: trainedOn,
      });
  }
  for (const [key, { place }] of saved.tensors)
    if (!expected.has(key) && !saved.embeddings.has(key))
      throw new InputError('this tensor is not part of the adapter that the configuration describes', {
        ...place,
        hint: `${trainedOn} An expected name is, for example, ${plan[0]?.key}.`,
      });
}

/** Parameters of a saved adapter. @throws InputError if it doesn't fit its base model */
export function checkedParameters(saved: SavedAdapter): number {
  const plan = planOfSaved(saved, saved.purpose);
  checkAdapterTensors(saved, plan);
  return trainedOf(plan).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Attaches a saved adapter for inference. The caller disposes it. @throws InputError if it doesn't fit its base model */
export function loadAdapter(saved: SavedAdapter, model: CausalLm): Adapter {
  checkedParameters(saved);
  return Adapter.attach(saved.attached, model, {
    purpose: saved.purpose,
    rng: createRng(0),
    values: spec => saved.tensors.get(spec.key)?.readFloat32(),
  });
}
