// The matrices of a saved adapter as LoRA, to be written in another program's format. Called by ggufAdapter.ts and mlxAdapter.ts.
// Rejects adapters that those formats can't express.
import { InputError } from '../../core/inputError.js';
import { checkFinite } from '../files/finiteValues.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import { checkAdapterTensors, type SavedAdapter } from '../peft/adapterFiles.js';
import { waysWithoutMerge } from './mergedModel.js';
import type { ReadTensor } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';

export interface SavedLora {
  dropout: number;
  factors: SavedFactors[];
}

export interface SavedFactors {
  module: LinearModule;
  rank: number;
  /** y = W x + scale · B A x, with rsLoRA and alpha_pattern included. */
  scale: number;
  /** [rank, in] */
  readA(): Float32Array;
  /** [out, rank] */
  readB(): Float32Array;
}

/** @throws InputError for an adapter that is more than B A on linear modules, with the hint to merge it instead */
export function savedLora(saved: SavedAdapter, architecture: Architecture): SavedLora {
  const { attached, folder, tensors } = saved;
  const { method } = attached;
  const exportable = peftMethods.filter(({ asLora }) => asLora).map(({ peftType }) => peftType);
  const refuse = (what: string): never => {
    const hint = method.merge
      ? `Export the merged model instead: tunewright export --adapter ${folder} --to merged-gguf, merged-folder or merged-mlx.`
      : `Only ${exportable.join(', ')} adapters can be exported, and this method can't be merged either. ${waysWithoutMerge(method)}`;
    throw new InputError(`${what} can't be expressed in this format`, { file: folder, hint });
  };
  const form = attached.asLora() ?? `an adapter of ${method.peftType}`;
  if (typeof form === 'string') return refuse(form);
  checkAdapterTensors(saved, attached.plan('inference'));
  const read: ReadTensor = key => tensors.get(key)!.readFloat32();
  const factors = form.factors.map(({ module, rank, scale, a, b }) => {
    if (module.name === architecture.head && architecture.tieWordEmbeddings)
      refuse(`an adapted ${module.name} that is tied to the embedding`);
    return { module, rank, scale, readA: () => a(read), readB: () => b(read) };
  });
  return { dropout: form.dropout, factors };
}

/** The common value of all modules; null if they differ. */
export function commonValue(values: readonly number[]): number | null {
  return values.every(value => value === values[0]) ? (values[0] ?? null) : null;
}

/** @param module for messages. @throws InputError on a product that is too large for float32 */
export function scaled(values: Float32Array, factor: number, { name }: LinearModule): Float32Array {
  if (factor === 1) return values;
  const products = values.map(value => value * factor);
  checkFinite(products, { key: name });
  return products;
}
