// A model as one GGUF file, with the adapters merged into it: for llama.cpp and the programs that use it.
import { InputError } from '../../../core/inputError.js';
import type { ExportEntryOf } from '../../../protocol/exportConfig.js';
import { ggufBytes } from '../../files/ggufWriter.js';
import type { ModelFiles } from '../../files/tensorSource.js';
import { allParameters } from '../../models/changedParameters.js';
import { ALL_TOKENS } from '../../run/generalRows.js';
import { silentReporter } from '../../run/reporter.js';
import { comparing, expectedSeconds } from '../expectedSeconds.js';
import { originOf, type ExportSource } from '../exportSource.js';
import type { ExportTarget, PlannedExport } from '../exportTarget.js';
import { ggufParts, type GgufChoice } from '../ggufParts.js';
import { modelForLlamaCpp } from '../llamaCppUse.js';
import { mergeAdapters } from '../mergedModel.js';
import { mergeIntoGguf } from '../mergeModel.js';
import { ggufNameOf, ownType } from '../provenance.js';

export const gguf: ExportTarget<ExportEntryOf<'gguf'>> = {
  target: 'gguf',
  to: 'merged-gguf',
  takes: 'model',
  writes: 'file',
  ending: '.gguf',

  fileName: (source, { type }) => ggufNameOf(originOf(source), type === 'own' ? ownType(source.base) : type),

  checkBase: checkGgufBase,

  plan(source, entry) {
    checkTouched(entry, source.adapters);
    return planGguf(source, entry);
  },

  async write(source, entry, { out, ...context }) {
    const { base, adapters } = source;
    checkTouched(entry, adapters);
    const written = await mergeIntoGguf(out, base, adapters, { ...entry, ...context });
    return { ...written, llama_cpp: modelForLlamaCpp(source) };
  },
};

/** @throws InputError if a model like the base can't be expressed as GGUF */
export function checkGgufBase({ base }: ExportSource): void {
  const merged = mergeAdapters(base, [], silentReporter.warn);
  try {
    ggufParts(merged, { type: 'own', touched: null }).close();
  } finally {
    merged.dispose();
  }
}

/** An entry of which only the type is chosen. */
export function ggufEntryOf({ type }: Pick<GgufChoice, 'type'>): ExportEntryOf<'gguf'> {
  return { target: 'gguf', type: type as ExportEntryOf<'gguf'>['type'], touched: null, out: null };
}

/** What a GGUF file of the merged model takes. @param served as in `mergeIntoGguf` */
export async function planGguf(
  { base, adapters }: ExportSource,
  choice: GgufChoice,
  served?: (files: ModelFiles) => ModelFiles,
): Promise<PlannedExport> {
  const merged = mergeAdapters(base, adapters, silentReporter.warn, served);
  try {
    const parts = ggufParts(merged, choice);
    try {
      const work = parts.tensors.map(({ ggmlType, byteLength, pieces }) => ({
        kind: ggmlType,
        bytes: byteLength,
        make: async () => {
          for await (const _ of pieces());
        },
      }));
      // The written model, and with adapters also the base, are compared with the merged one.
      const passes = adapters.length > 0 ? 3 : 2;
      const { model, changed } = merged;
      const compared = await expectedSeconds(comparing(allParameters(model, changed).values(), ALL_TOKENS));
      return { bytes: ggufBytes(parts), seconds: (await expectedSeconds(work)) + passes * compared };
    } finally {
      parts.close();
    }
  } finally {
    merged.dispose();
  }
}

function checkTouched({ touched }: ExportEntryOf<'gguf'>, adapters: readonly unknown[]): void {
  if (touched !== null && adapters.length === 0)
    throw new InputError('without an adapter no matrix is changed', { key: '--touched', hint: 'Use --type.' });
}
