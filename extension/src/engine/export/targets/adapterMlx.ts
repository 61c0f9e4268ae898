// An adapter alone as a folder for mlx-lm's `--adapter-path`.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { bytesOf, writeFolderFiles } from '../../files/folderFile.js';
import { secondsToRead } from '../expectedSeconds.js';
import type { ExportTarget } from '../exportTarget.js';
import { mlxAdapterFiles } from '../mlxAdapter.js';

export const adapterMlx: ExportTarget<ExportEntryOf<'adapter_mlx'>> = {
  target: 'adapter_mlx',
  to: 'mlx',
  takes: 'adapter',
  writes: 'folder',
  compares: false,

  fileName: ({ name }) => `${name}-lora-mlx`,

  async plan({ adapters: [adapter], architecture }) {
    return { bytes: bytesOf(mlxAdapterFiles(adapter!, architecture)), seconds: await secondsToRead(adapter!) };
  },

  async write({ adapters: [adapter], architecture }, _entry, { out }) {
    await writeFolderFiles(out, mlxAdapterFiles(adapter!, architecture));
    return {};
  },
};
