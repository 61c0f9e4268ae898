// Writes an adapter as LoRA for mlx-lm (`mlx_lm.generate --adapter-path`). Called by targets/adapterMlx.ts. Facts from
// mlx-lm's tuner/utils.py and tuner/lora.py.
import { jsonFile, type FolderFiles } from '../files/folderFile.js';
import { transpose } from '../files/ggufTransforms.js';
import { safetensorsBytes, writeSafetensors } from '../files/safetensors.js';
import type { TensorEntry } from '../files/tensorEntry.js';
import type { Architecture } from '../models/architecture.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import { commonValue, savedLora, scaled } from './savedLora.js';

/**
 * The files of the folder: adapters.safetensors (lora_a [in, r], lora_b [r, out]) and adapter_config.json. mlx-lm has one rank and one scale for all
 * modules. If theirs differ, smaller ones are filled up to the largest rank with zeros, which leaves the product as it is, and the
 * scale is 1, with each module's own multiplied into lora_b.
 * @throws InputError if the adapter can't be expressed
 */
export function mlxAdapterFiles(saved: SavedAdapter, architecture: Architecture): FolderFiles {
  const { factors, dropout } = savedLora(saved, architecture);
  const scale = commonValue(factors.map(factor => factor.scale)) ?? 1;
  const rank = Math.max(...factors.map(factor => factor.rank));
  const tensors = factors.flatMap(({ module, rank: ownRank, scale: own, readA, readB }): TensorEntry[] => {
    const { inFeatures, outFeatures } = module;
    const name = mlxName(module.name);
    const b = () => scaled(transpose(readB(), outFeatures, ownRank), own / scale, module);
    return [
      {
        name: `${name}.lora_a`,
        shape: [inFeatures, rank],
        dtype: 'F32',
        data: () => transpose(filled(readA(), rank * inFeatures), rank, inFeatures),
      },
      { name: `${name}.lora_b`, shape: [rank, outFeatures], dtype: 'F32', data: () => filled(b(), rank * outFeatures) },
    ];
  });
  const description = {
    fine_tune_type: 'lora',
    model: saved.baseModel,
    num_layers: architecture.layers.length,
    lora_parameters: {
      // Names within a block; mlx-lm creates a LoRA layer for each in every block, which has no effect without tensors.
      keys: [...new Set(factors.map(({ module }) => module.name.replace(/^.*?\.\d+\./, '')))],
      rank,
      scale,
      dropout,
    },
  };
  const metadata = { format: 'mlx' };
  return new Map([
    [
      'adapters.safetensors',
      {
        bytes: safetensorsBytes(tensors, metadata),
        write: (path: string) => writeSafetensors(path, tensors, metadata),
      },
    ],
    ['adapter_config.json', jsonFile(description)],
  ]);
}

/** The values, followed by zeros. */
function filled(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const result = new Float32Array(length);
  result.set(values);
  return result;
}

/** mlx-lm has GPT-2's blocks under `model`, like those of all other families. */
export function mlxName(module: string): string {
  return module.replace(/^transformer\./, 'model.');
}
