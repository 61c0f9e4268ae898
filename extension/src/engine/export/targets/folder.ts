// A model as a Hugging Face folder, with the adapters merged into it: for Transformers and the programs that read its format.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { bytesOf } from '../../files/folderFile.js';
import { encodeRows } from '../../files/ggufQuantizers.js';
import { entryBytes, type FloatDtype } from '../../files/tensorEntry.js';
import { allParameters, valuesOf } from '../../models/changedParameters.js';
import { modelFolderFiles } from '../../models/writeModelFolder.js';
import { silentReporter } from '../../run/reporter.js';
import type { ExportSource } from '../exportSource.js';
import type { ExportTarget, PlannedExport } from '../exportTarget.js';
import { expectedSeconds } from '../expectedSeconds.js';
import { mergeAdapters } from '../mergedModel.js';
import { mergeIntoFolder, type FolderChoice } from '../mergeModel.js';

export const DTYPES = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const satisfies Record<
  string,
  FloatDtype
>;

/** As in Transformers and huggingface_hub: decimal units. */
const UNITS: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

export const folder: ExportTarget<ExportEntryOf<'folder'>> = {
  target: 'folder',
  to: 'merged-folder',
  takes: 'model',
  writes: 'folder',

  fileName: ({ name }, { dtype }) => `${name}-${dtype}`,

  plan: (source, entry) => planFolder(source, choiceOf(entry)),

  write({ base, adapters }, entry, { out, ...context }) {
    return mergeIntoFolder(out, base, adapters, { ...context, ...choiceOf(entry) });
  },
};

function choiceOf(entry: { dtype: keyof typeof DTYPES; max_shard_size: string }): FolderChoice {
  return { dtype: DTYPES[entry.dtype], maxShardBytes: shardBytes(entry.max_shard_size) };
}

/** @param size as the schema accepts it */
function shardBytes(size: string): number {
  const [, number, unit] = /([\d.]+) *(\w+)/.exec(size)!;
  return Math.max(1, Math.floor(Number(number) * UNITS[unit!.toUpperCase()]!));
}

/** What a merged folder takes. */
export async function planFolder({ base, adapters }: ExportSource, choice: FolderChoice): Promise<PlannedExport> {
  const merged = mergeAdapters(base, adapters, silentReporter.warn);
  try {
    const { dtype } = choice;
    const work = [...allParameters(merged.model, merged.changed)].map(([name, parameter]) => ({
      kind: merged.changed.has(name) ? 'changed' : 'copied',
      bytes: entryBytes({ shape: parameter.shape, dtype }),
      make: async () => encodeRows(dtype, await valuesOf(parameter), { file: base.path, key: name }),
    }));
    const files = modelFolderFiles(merged.model, merged.files, merged.changed, choice);
    const listed = [...files].map(([path, { bytes }]) => ({ path, bytes }));
    return { bytes: bytesOf(files), seconds: await expectedSeconds(work), files: listed };
  } finally {
    merged.dispose();
  }
}
