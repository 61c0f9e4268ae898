// The matrices of a saved LoRA adapter, ready to be written in another program's format. Called by ggufAdapter.ts and
// mlxAdapter.ts. Refuses what those formats have no words for.
import { InputError } from '../../core/inputError.js';
import type { Architecture, LinearModule } from '../models/architecture.js';
import { checkAdapterTensors, type SavedAdapter } from '../peft/adapterFiles.js';
import { adaptedModules, loraConfigOf } from '../peft/lora.js';

export interface LoraFactors {
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
export function loraFactors(saved: SavedAdapter, architecture: Architecture): LoraFactors[] {
  const { attached, folder, tensors } = saved;
  const { method } = attached;
  const refuse: (what: string) => never = what => {
    const hint = method.merge
      ? 'Fold it into its base: tunewright merge --model M --adapter A --out DIR. The merged model can be converted.'
      : 'Only LORA adapters can be exported, and this method can’t be merged either.';
    throw new InputError(`${what} can't be expressed in this format`, { file: folder, hint });
  };
  const config = loraConfigOf(attached) ?? refuse(`a ${method.peftType} adapter`);
  if (config.use_dora) refuse('DoRA (use_dora)');
  if (config.modules_to_save) refuse(`a module saved whole (modules_to_save: ${config.modules_to_save.join(', ')})`);
  if (config.bias !== 'none') refuse(`trained biases (bias: "${config.bias}")`);
  checkAdapterTensors(saved, attached.plan('inference'));
  return adaptedModules(config, architecture).map(({ module, rank, scale, a, b }) => {
    if (module.name === architecture.head && architecture.tieWordEmbeddings)
      refuse(`an adapted ${module.name} that is tied to the embedding`);
    return {
      module,
      rank,
      scale,
      readA: () => tensors.get(a)!.readFloat32(),
      readB: () => tensors.get(b)!.readFloat32(),
    };
  });
}

/** The one scale that all modules have, or null. */
export function commonValue(values: readonly number[]): number | null {
  return values.every(value => value === values[0]) ? (values[0] ?? null) : null;
}

export function scaled(values: Float32Array, factor: number): Float32Array {
  return factor === 1 ? values : values.map(value => value * factor);
}
