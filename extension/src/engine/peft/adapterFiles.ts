// Adapters on disk: PEFT's adapter_config.json + adapter_model.safetensors, SELECTIVE's own pair, or a whole model for
// FULL. Reading checks every name and shape before anything is allocated.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../core/inputError.js';
import { createRng } from '../data/rng.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors, writeDeviceTensors } from '../files/safetensors.js';
import type { StoredTensor } from '../files/tensorSource.js';
import type { CausalLm } from '../models/causalLm.js';
import type { Architecture } from '../models/architecture.js';
import { Adapter } from './adapter.js';
import { AttachedMethod } from './attachedMethod.js';
import type { Purpose, TrainableSpec } from './method.js';
import { peftMethod, peftMethods } from './registry.js';

/** The PEFT version whose files these are. */
const PEFT_VERSION = '0.21.2';

const FILES = {
  adapter: { config: 'adapter_config.json', tensors: 'adapter_model.safetensors' },
  selective: { config: 'selective_config.json', tensors: 'selected_model.safetensors' },
} as const;

/** The pairs of files that an adapter may consist of. */
export const adapterFileNames: readonly { config: string; tensors: string }[] = Object.values(FILES);

export interface SavedAdapter {
  folder: string;
  /** Path of its adapter_config.json, for messages. */
  configFile: string;
  /** The method with the config that the files stand for, as a run file would have it. */
  attached: AttachedMethod;
  /** base_model_name_or_path: what it was trained on, as far as the file says. */
  baseModel: string | null;
  tensors: ReadonlyMap<string, StoredTensor>;
  close(): void;
}

/** JSON as Python writes it: sorted keys, indented by two. */
function sortedJson(value: Record<string, unknown>): string {
  return `${JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`;
}

/**
 * Writes an adapter folder. Methods whose `storage` is 'model' are written by writeModelFolder instead.
 * @param baseModel what PEFT finds the base under: a hub id or a path
 */
export async function saveAdapter(folder: string, adapter: Adapter, baseModel: string): Promise<void> {
  const { method } = adapter;
  if (method.storage === 'model') throw new Error('a whole model is no adapter');
  const files = FILES[method.storage];
  const tensors = adapter.exportTensors();
  try {
    await writeDeviceTensors(join(folder, files.tensors), tensors);
  } finally {
    tf.dispose([...tensors.values()]);
  }
  const json = sortedJson({
    peft_type: method.peftType,
    task_type: 'CAUSAL_LM',
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    inference_mode: true,
    peft_version: PEFT_VERSION,
    revision: null,
    ...adapter.attached.toAdapterConfig(),
  });
  writeFileAtomically(join(folder, files.config), append => append(Buffer.from(json)));
}

/**
 * Opens an adapter folder, PEFT's or ours.
 * @throws InputError where the folder holds no adapter, of an unknown method, or with a config that is not supported
 */
export function openAdapter(folder: string, architecture: Architecture): SavedAdapter {
  const files = adapterFileNames.find(({ config }) => existsSync(join(folder, config)));
  if (!files)
    throw new InputError('there is no adapter in this folder', {
      file: folder,
      hint: `An adapter folder holds ${FILES.adapter.config} and ${FILES.adapter.tensors}.`,
    });
  const configFile = join(folder, files.config);
  const json = readJsonObject(configFile)!;
  const method = peftMethod(String(json['peft_type']));
  if (!method)
    throw new InputError(`peft_type ${JSON.stringify(json['peft_type'] ?? null)} is not supported`, {
      file: configFile,
      hint: `Supported: ${peftMethods.map(known => known.peftType).join(', ')}.`,
    });
  let config: unknown;
  try {
    config = method.fromAdapterConfig(json, architecture, configFile);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const faults = error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`);
    throw new InputError(`the adapter’s configuration can't be used: ${faults.join('; ')}`, { file: configFile });
  }
  if (!existsSync(join(folder, files.tensors)))
    throw new InputError(`${files.tensors} is missing`, {
      file: folder,
      hint: 'Adapters saved as adapter_model.bin can be saved anew by PEFT with safe_serialization.',
    });
  const { tensors, close } = openSafetensors(join(folder, files.tensors));
  const base = json['base_model_name_or_path'];
  return {
    folder,
    configFile,
    attached: new AttachedMethod(method, config, architecture),
    baseModel: typeof base === 'string' ? base : null,
    tensors,
    close,
  };
}

/** PEFT saves the untouched weight of an adapted head beside the adapter; the base has it already. */
const BASE_COPY = /\.base_layer\.weight$/;

function trainedOnHint({ baseModel }: SavedAdapter): string {
  return baseModel ? `It was trained on ${baseModel}.` : 'It was trained on another base model.';
}

/**
 * The tensors that a saved adapter has to hold for this base model; nothing is read.
 * @throws InputError where the base lacks what the adapter changes
 */
export function planOfSaved(saved: SavedAdapter, purpose: Purpose): readonly TrainableSpec[] {
  try {
    return saved.attached.plan(purpose);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`the adapter doesn't fit this base model: ${error.message}`, {
      file: saved.configFile,
      hint: [trainedOnHint(saved), error.hint].filter(Boolean).join(' '),
    });
  }
}

/** @throws InputError naming a tensor that is missing, unexpected or of another shape */
export function checkAdapterTensors(saved: SavedAdapter, plan: readonly TrainableSpec[]): void {
  const trainedOn = trainedOnHint(saved);
  const expected = new Set(plan.map(spec => spec.key));
  for (const { key, shape, frozen } of plan) {
    const tensor = saved.tensors.get(key);
    if (!tensor && frozen === 'recomputed') continue;
    if (!tensor) throw new InputError(`tensor ${key} is missing`, { file: saved.folder, hint: trainedOn });
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i]))
      throw new InputError(`has shape [${tensor.shape.join(', ')}], this base model needs [${shape.join(', ')}]`, {
        ...tensor.place,
        hint: trainedOn,
      });
  }
  for (const [key, { place }] of saved.tensors)
    if (!expected.has(key) && !BASE_COPY.test(key))
      throw new InputError('this tensor is not part of the adapter that the configuration describes', {
        ...place,
        hint: `${trainedOn} Expected are names such as ${plan[0]?.key}.`,
      });
}

/** Attaches a saved adapter for inference. The caller disposes it. */
export function loadAdapter(saved: SavedAdapter, model: CausalLm): Adapter {
  checkAdapterTensors(saved, planOfSaved(saved, 'inference'));
  return Adapter.attach(saved.attached, model, {
    purpose: 'inference',
    rng: createRng(0),
    values: spec => saved.tensors.get(spec.key)?.readFloat32(),
  });
}
