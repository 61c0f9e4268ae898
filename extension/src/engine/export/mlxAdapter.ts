// Writes an adapter as LoRA for mlx-lm (`mlx_lm.generate --adapter-path`). Called by the `export` command. Facts from mlx-lm's
// tuner/utils.py and tuner/lora.py.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/inputError.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { transpose } from '../files/ggufTransforms.js';
import { writeSafetensors } from '../files/safetensors.js';
import type { TensorEntry } from '../files/tensorEntry.js';
import type { Architecture } from '../models/architecture.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import { commonValue, savedLora, scaled } from './savedLora.js';

/**
 * Writes adapters.safetensors (lora_a [in, r], lora_b [r, out]) and adapter_config.json. mlx-lm has one scale for all modules; if
 * theirs differ, it is 1 and each module's scale is multiplied into lora_b.
 * @throws InputError if the adapter can't be expressed, or the folder is not empty
 */
export function writeMlxAdapter(folder: string, saved: SavedAdapter, architecture: Architecture): void {
  const { factors, dropout } = savedLora(saved, architecture);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new InputError('the folder is not empty', { file: folder, hint: 'Choose a new folder with --out.' });
  const scale = commonValue(factors.map(factor => factor.scale)) ?? 1;
  const tensors = factors.flatMap(({ module, rank, scale: own, readA, readB }): TensorEntry[] => {
    const { inFeatures, outFeatures } = module;
    const name = mlxName(module.name);
    const b = () => scaled(transpose(readB(), outFeatures, rank), own / scale);
    return [
      {
        name: `${name}.lora_a`,
        shape: [inFeatures, rank],
        dtype: 'F32',
        data: () => transpose(readA(), rank, inFeatures),
      },
      { name: `${name}.lora_b`, shape: [rank, outFeatures], dtype: 'F32', data: b },
    ];
  });
  writeSafetensors(join(folder, 'adapters.safetensors'), tensors, { format: 'mlx' });
  const description = {
    fine_tune_type: 'lora',
    model: saved.baseModel,
    num_layers: architecture.layers.length,
    lora_parameters: {
      // Names within a block; mlx-lm creates a LoRA layer for each in every block, which has no effect without tensors.
      keys: [...new Set(factors.map(({ module }) => module.name.replace(/^.*?\.\d+\./, '')))],
      // For the layers that mlx-lm creates; the rank in use is that of each tensor.
      rank: Math.max(...factors.map(({ rank }) => rank)),
      scale,
      dropout,
    },
  };
  const json = Buffer.from(`${JSON.stringify(description, null, 2)}\n`);
  writeFileAtomically(join(folder, 'adapter_config.json'), append => append(json));
}

/** mlx-lm has GPT-2's blocks under `model`, like those of all other families. */
function mlxName(module: string): string {
  return module.replace(/^transformer\./, 'model.');
}
