// The matrices of a saved adapter in LoRA's form, ready to be written in another program's format. Called by ggufAdapter.ts
// and mlxAdapter.ts. Refuses what those formats have no words for.
import { InputError } from '../../core/inputError.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import { checkAdapterTensors, type SavedAdapter } from '../peft/adapterFiles.js';
import type { ReadTensor } from '../peft/method.js';
import { peftMethods } from '../peft/registry.js';

export interface SavedLora {
  dropout: number;
  factors: SavedFactors[];
}

export interface SavedFactors {
  module: LinearModule;
  rank: number;
  /** y = W x + scale · B A x; rsLoRA and alpha_pattern are in it. */
  scale: number;
  /** [rank, in] */
  readA(): Float32Array;
  /** [out, rank] */
  readB(): Float32Array;
}

/** @throws InputError on an adapter that is more than B A beside linear modules, saying to merge it instead */
export function savedLora(saved: SavedAdapter, architecture: Architecture): SavedLora {
  const { attached, folder, tensors } = saved;
  const { method } = attached;
  const exportable = peftMethods.filter(({ asLora }) => asLora).map(({ peftType }) => peftType);
  const refuse = (what: string): never => {
    const hint = method.merge
      ? 'Fold it into its base: tunewright merge --model M --adapter A --out DIR. The merged model can be converted.'
      : `Only ${exportable.join(', ')} adapters can be exported, and this method can’t be merged either.`;
    throw new InputError(`${what} can't be expressed in this format`, { file: folder, hint });
  };
  const form = attached.asLora() ?? `a ${method.peftType} adapter`;
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

/** The one scale that all modules have, or null. */
export function commonValue(values: readonly number[]): number | null {
  return values.every(value => value === values[0]) ? (values[0] ?? null) : null;
}

export function scaled(values: Float32Array, factor: number): Float32Array {
  return factor === 1 ? values : values.map(value => value * factor);
}
