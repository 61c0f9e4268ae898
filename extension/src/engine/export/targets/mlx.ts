// A model as a folder for mlx-lm, with the adapters merged into it. mlx-lm reads Hugging Face folders; it computes in the type of the
// tensors, for which a Mac is fastest with 16 bits.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import type { ExportTarget } from '../exportTarget.js';
import { mergeIntoFolder } from '../mergeModel.js';
import { DTYPES, planFolder } from './folder.js';

export const mlx: ExportTarget<ExportEntryOf<'mlx'>> = {
  target: 'mlx',
  to: 'merged-mlx',
  takes: 'model',
  writes: 'folder',

  fileName: ({ name }, { dtype }) => `${name}-mlx-${dtype}`,

  plan: (source, entry) => planFolder(source, choiceOf(entry)),

  async write({ base, adapters }, entry, { out, ...context }) {
    const { changed, ...certified } = await mergeIntoFolder(out, base, adapters, { ...context, ...choiceOf(entry) });
    return { changed_parameters: changed, ...certified };
  },
};

/** mlx-lm writes shards of this size. */
const MAX_SHARD_BYTES = 5e9;

function choiceOf({ dtype }: { dtype: 'float16' | 'bfloat16' }) {
  return { dtype: DTYPES[dtype], maxShardBytes: MAX_SHARD_BYTES };
}
