// The models of test/fixtures/configs (make.py): config.json files with one key or tensor changed, and Transformers'
// loss of each token. Weights follow from a tensor's name, with the arithmetic of make.py.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import { makeBatch } from '../../extension/src/engine/data/batches.js';
import { writeSafetensors } from '../../extension/src/engine/files/safetensors.js';
import type { ModelFiles } from '../../extension/src/engine/files/tensorSource.js';
import { sizeOf } from '../../extension/src/engine/models/architecture.js';
import { loadModel } from '../../extension/src/engine/models/loadModel.js';
import { architectureOf } from '../../extension/src/engine/models/registry.js';
import { modelInput } from '../../extension/src/engine/training/microBatch.js';

export interface ConfigVariant {
  config: Record<string, unknown> & { model_type: string };
  /** Tensors of the folder: added with values of their own, copied, left out, or without the first part of their name. */
  tensors?: {
    add?: Record<string, number[]>;
    copy?: Record<string, string>;
    drop?: string[];
    headless?: boolean;
  };
  losses: number[];
}

const fixture = JSON.parse(readFileSync(new URL('../fixtures/configs/variants.json', import.meta.url), 'utf8')) as {
  ids: number[];
  keys: Record<string, string[]>;
  variants: ConfigVariant[];
};

/** The tokens of `losses`, the first of which has none. */
export const variantIds = fixture.ids;
/** Of Transformers' configuration class, by family. */
export const transformersKeys = fixture.keys;
export const configVariants = fixture.variants;

/** The variant without a change, the first of its family. */
export function baseVariant(modelType: string): ConfigVariant {
  return configVariants.find(({ config }) => config.model_type === modelType)!;
}

/** What differs from the base variant, as JSON. */
export function changesOf({ config, tensors }: ConfigVariant): string {
  const base = baseVariant(config.model_type).config;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(config)])];
  const changed = keys.filter(key => JSON.stringify(base[key]) !== JSON.stringify(config[key]));
  const values = changed.map(key => [key, config[key] === undefined ? '(missing)' : config[key]]);
  return `${JSON.stringify(Object.fromEntries(values))}${tensors ? ` ${JSON.stringify(tensors)}` : ''}`;
}

/** The loss of each token of `variantIds` but the first, as `losses` has them. */
export function variantLosses(files: ModelFiles): number[] {
  const model = loadModel(files);
  const ids = Int32Array.from(variantIds);
  const batch = makeBatch(
    { sequences: [[0]] },
    { get: () => ({ inputIds: ids, labels: ids }), lengthOf: () => ids.length },
    { virtualTokens: 0, firstVirtualId: model.architecture.vocabSize },
  );
  const losses = tf.tidy(() => {
    const logits = model.logits(model.forward(modelInput(batch)));
    const rows = tf.logSoftmax(logits).arraySync() as number[][];
    return rows.slice(0, -1).map((row, i) => -row[variantIds[i + 1]!]!);
  });
  model.dispose();
  return losses;
}

/** Values in [-1, 1): an integer hash of the name's CRC-32 and the index. */
function uniform(name: string, count: number): Float64Array {
  const seed = crc32(name);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (Math.imul(i, 0x9e3779b9) + seed) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

function valuesOf(name: string, shape: readonly number[]): Float32Array {
  const x = uniform(name, sizeOf(shape));
  if (shape.length === 1) return Float32Array.from(x, value => 0.4 * value + (name.endsWith('weight') ? 1 : 0));
  if (/embed_tokens|wte|wpe/.test(name)) return Float32Array.from(x);
  return Float32Array.from(x, value => (value * 3) / Math.sqrt(shape.at(-1)!));
}

/** Writes config.json and model.safetensors. @returns the folder */
export function writeVariant(folder: string, { config, tensors = {} }: Omit<ConfigVariant, 'losses'>): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const stored = new Map(
    architectureOf(config, folder).parameters.map(({ name, shape }) => [name, { shape, data: valuesOf(name, shape) }]),
  );
  for (const [name, shape] of Object.entries(tensors.add ?? {}))
    stored.set(name, { shape, data: valuesOf(name, shape) });
  for (const [name, source] of Object.entries(tensors.copy ?? {})) stored.set(name, stored.get(source)!);
  for (const name of tensors.drop ?? []) stored.delete(name);
  const nameOf = (name: string) => (tensors.headless ? name.slice(name.indexOf('.') + 1) : name);
  writeSafetensors(
    join(folder, 'model.safetensors'),
    [...stored].map(([name, tensor]) => ({ ...tensor, name: nameOf(name), dtype: 'F32' as const })),
  );
  return folder;
}
