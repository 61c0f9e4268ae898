// An adapter alone as GGUF, for llama.cpp's `--lora`.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { secondsToRead } from '../expectedSeconds.js';
import type { ExportTarget } from '../exportTarget.js';
import { ggufAdapterBytes, writeGgufAdapter } from '../ggufAdapter.js';

export const adapterGguf: ExportTarget<ExportEntryOf<'adapter_gguf'>> = {
  target: 'adapter_gguf',
  to: 'gguf',
  takes: 'adapter',
  writes: 'file',
  compares: false,

  fileName: ({ name }) => `${name}-lora-F32.gguf`,

  async plan({ adapters: [adapter], architecture }) {
    return { bytes: ggufAdapterBytes(adapter!, architecture), seconds: await secondsToRead(adapter!) };
  },

  async write({ adapters: [adapter], architecture }, _entry, { out }) {
    writeGgufAdapter(out, adapter!, architecture);
    return {};
  },
};
