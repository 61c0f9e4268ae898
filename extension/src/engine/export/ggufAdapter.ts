// Writes an adapter as LoRA for llama.cpp (`llama-cli --lora`). Called by targets/adapterGguf.ts. Facts from llama.cpp's
// convert_lora_to_gguf.py and llama-adapter.cpp.
import { InputError } from '../../core/inputError.js';
import { ggufArchitecture, ggufTensorName } from '../files/ggufNames.js';
import { rotaryRowsToGguf } from '../files/ggufTransforms.js';
import { ggufBytes, partsOf, writeGguf } from '../files/ggufWriter.js';
import type { TensorEntry } from '../files/tensorEntry.js';
import type { Architecture } from '../models/architecture.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import { commonValue, savedLora, scaled, type SavedFactors } from './savedLora.js';

/**
 * Writes the adapter in F32. llama.cpp scales B A by adapter.lora.alpha / rank with the rank of each tensor; other scales (rsLoRA,
 * alpha_pattern) are multiplied into B.
 * @throws InputError if the adapter can't be expressed
 */
export function writeGgufAdapter(path: string, saved: SavedAdapter, architecture: Architecture): void {
  writeGguf(path, ...ggufAdapter(saved, architecture));
}

/** Bytes of the file. @throws InputError if the adapter can't be expressed */
export function ggufAdapterBytes(saved: SavedAdapter, architecture: Architecture): number {
  return ggufBytes(partsOf(...ggufAdapter(saved, architecture)));
}

function ggufAdapter(saved: SavedAdapter, architecture: Architecture): Parameters<typeof partsOf> {
  const target = ggufArchitecture(architecture.modelType);
  if (!target)
    throw new InputError(`export of ${architecture.modelType} models to llama.cpp is not supported`, {
      file: saved.folder,
    });
  const { factors } = savedLora(saved, architecture);
  const alpha = commonValue(factors.map(({ scale, rank }) => scale * rank)) ?? 1;
  return [
    {
      'general.architecture': { type: 'string', value: target },
      'general.type': { type: 'string', value: 'adapter' },
      'adapter.type': { type: 'string', value: 'lora' },
      'adapter.lora.alpha': { type: 'float32', value: alpha },
    },
    factors.flatMap(factor => tensorPair(factor, alpha, target, architecture)),
  ];
}

function tensorPair(
  { module, rank, scale, readA, readB }: SavedFactors,
  alpha: number,
  target: string,
  { layers }: Architecture,
): TensorEntry[] {
  const found = ggufTensorName(target, module.name);
  if (!found) throw new InputError(`llama.cpp has no tensor for ${module.name}`, { file: module.name });
  // Conv1D needs no transposition: A and B already have the orientation of a linear layer, as GGUF's weights do.
  const inOrder = (b: Float32Array) => {
    const { transform } = found;
    if (transform !== 'rotary_q' && transform !== 'rotary_k') return b;
    const { heads, keyValueHeads } = layers[module.layer!]!.attention;
    return rotaryRowsToGguf(b, transform === 'rotary_q' ? heads : keyValueHeads, rank);
  };
  return [
    { name: `${found.name}.weight.lora_a`, shape: [rank, module.inFeatures], dtype: 'F32', data: readA },
    {
      name: `${found.name}.weight.lora_b`,
      shape: [module.outFeatures, rank],
      dtype: 'F32',
      data: () => inOrder(scaled(readB(), (scale * rank) / alpha, module)),
    },
  ];
}
