// An adapter alone as a folder for mlx-lm's `--adapter-path`.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { bytesOf, writeFolderFiles } from '../../files/folderFile.js';
import { certifyAdapter } from '../certificate.js';
import { secondsToRead } from '../expectedSeconds.js';
import type { ExportTarget } from '../exportTarget.js';
import { mlxAdapterFiles } from '../mlxAdapter.js';
import { readMlxLora } from '../writtenLora.js';

export const adapterMlx: ExportTarget<ExportEntryOf<'adapter_mlx'>> = {
  target: 'adapter_mlx',
  to: 'mlx',
  takes: 'adapter',
  writes: 'folder',

  fileName: ({ name }) => `${name}-lora-mlx`,

  async plan({ adapters: [adapter], architecture }) {
    return { bytes: bytesOf(mlxAdapterFiles(adapter!, architecture)), seconds: await secondsToRead(adapter!) };
  },

  async write({ base, adapters: [adapter], architecture }, _entry, { out, ...context }) {
    await writeFolderFiles(out, mlxAdapterFiles(adapter!, architecture));
    return certifyAdapter(readMlxLora(out, architecture), base, adapter!, context);
  },
};
