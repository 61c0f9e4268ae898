// A certificate as the engine writes it, for tests of what shows it.
import type { Certificate } from '../../extension/src/protocol/certificate.js';

/** Of a GGUF within the bounds of its type. */
export function certificate(target: string, path: string, changes: Partial<Certificate> = {}): Certificate {
  return {
    version: 1,
    target,
    type: 'q8_0',
    path,
    files: [{ name: path.split('/').at(-1)!, bytes: 144_812_032, sha256: 'a'.repeat(64) }],
    base: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    adapters: [{ folder: '/work/runs/support-tone/adapter', peft_type: 'LORA' }],
    run: '/work/runs/support-tone',
    reader: { name: 'tunewright', version: '0.5.0' },
    comparisons: [
      {
        ...{ what: 'chat template', compared: 3, unit: 'conversation', with: 'the base’s own template', difference: 0 },
        ...{ bound: 0, why: '', verdict: 'same' },
      },
      {
        ...{ what: 'token ids', compared: 512, unit: 'token', with: '16 rows that the run held out', difference: 0 },
        ...{ bound: 0, why: '', verdict: 'same' },
      },
      {
        ...{ what: 'kl', compared: 248, unit: 'token', with: '16 rows that the run held out', difference: 0.00213 },
        ...{ bound: 0.01, why: 'Q8_0 keeps 8 bits of each value', verdict: 'within' },
      },
    ],
    verdict: 'within',
    seconds: 4.2,
    created: '2026-11-29T17:00:00.000Z',
    ...changes,
  };
}
