// An adapter alone as GGUF, for llama.cpp's `--lora`.
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { certifyAdapter } from '../certificate.js';
import { secondsToRead } from '../expectedSeconds.js';
import { originOf } from '../exportSource.js';
import type { ExportTarget } from '../exportTarget.js';
import { ggufAdapterBytes, writeGgufAdapter } from '../ggufAdapter.js';
import { adapterForLlamaCpp } from '../llamaCppUse.js';
import { ggufNameOf } from '../provenance.js';
import { readGgufLora } from '../writtenLora.js';

export const adapterGguf: ExportTarget<ExportEntryOf<'adapter_gguf'>> = {
  target: 'adapter_gguf',
  to: 'gguf',
  takes: 'adapter',
  writes: 'file',
  ending: '.gguf',

  fileName: source => ggufNameOf(originOf(source), 'F32', true),

  async plan({ adapters: [adapter], architecture }) {
    return { bytes: ggufAdapterBytes(adapter!, architecture), seconds: await secondsToRead(adapter!) };
  },

  async write(source, _entry, { out, ...context }) {
    const { base, architecture } = source;
    const adapter = source.adapters[0]!;
    writeGgufAdapter(out, adapter, architecture);
    const certified = await certifyAdapter(readGgufLora(out, architecture), base, adapter, context);
    return { llama_cpp: adapterForLlamaCpp(source), ...certified };
  },
};
