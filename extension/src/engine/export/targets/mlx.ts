// A model as a folder for mlx-lm, with the adapters merged into it. mlx-lm reads Hugging Face folders with keys of
// its own (mlxModel.ts); it computes in the type of the tensors, for which a Mac is fastest with 16 bits.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import type { ExportTarget } from '../exportTarget.js';
import { mergeIntoFolder } from '../mergeModel.js';
import { mlxModel } from '../mlxModel.js';
import { DTYPES, planFolder } from './folder.js';

export const mlx: ExportTarget<ExportEntryOf<'mlx'>> = {
  target: 'mlx',
  to: 'merged-mlx',
  takes: 'model',
  writes: 'folder',

  fileName: ({ name }, { dtype }) => `${name}-mlx-${dtype}`,

  checkBase: ({ base, architecture }) => void mlxModel(base, architecture),

  async plan(source, entry) {
    const { files, tensorName } = mlxModel(source.base, source.architecture);
    return planFolder({ ...source, base: files }, { ...choiceOf(entry), tensorName });
  },

  async write({ base, architecture, adapters }, entry, { out, ...context }) {
    const { files, tensorName } = mlxModel(base, architecture);
    const choice = { ...choiceOf(entry), tensorName };
    return mergeIntoFolder(out, files, adapters, { ...context, ...choice });
  },
};

/** mlx-lm writes shards of this size. */
const MAX_SHARD_BYTES = 5e9;

function choiceOf({ dtype }: { dtype: 'float16' | 'bfloat16' }) {
  return { dtype: DTYPES[dtype], maxShardBytes: MAX_SHARD_BYTES };
}
