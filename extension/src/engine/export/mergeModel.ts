// Merges adapters into a base and writes the model as a Hugging Face folder or as GGUF; without an adapter it converts. Called by the
// targets of merged models. Checks room, reads what was written again and measures what its rounding costs.
import { dirname } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import type { Rounding } from '../../protocol/exportAnswers.js';
import { certifyModel, type Certified, type CertifyOptions } from './certificate.js';
import { ggufParts, type GgufChoice } from './ggufParts.js';
import { fallbackText } from './ggufTypes.js';
import { mergeAdapters, type MergedModel } from './mergedModel.js';
import { checkFreeSpace } from '../files/diskSpace.js';
import { bytesOf, writeFolderFiles } from '../files/folderFile.js';
import { openGguf } from '../files/ggufModel.js';
import { openHuggingFaceFolder } from '../files/huggingfaceFolder.js';
import { ggufBytes, streamGguf } from '../files/ggufWriter.js';
import type { FloatDtype } from '../files/tensorEntry.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { allParameters } from '../models/changedParameters.js';
import { modelFolderFiles } from '../models/writeModelFolder.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import type { Reporter } from '../run/reporter.js';

export interface MergeOptions {
  reporter: Reporter;
  /** Ends the work between two tensors; nothing is left of it. */
  signal: AbortSignal;
}

/** How a folder is written. */
export interface FolderChoice {
  dtype: FloatDtype;
  /** Bytes of the largest file of weights. */
  maxShardBytes: number;
  tensorName?: (name: string) => string;
}

export interface GgufMergeOptions extends MergeOptions, GgufChoice, CertifyOptions {
  /** What the file gets of tokenizer and template, from those of the merged model; by default, these. */
  served?: (files: ModelFiles) => ModelFiles;
}

export interface Merged extends Certified {
  /** Number of parameters that the adapters have changed. */
  changed_parameters: number;
}

export interface WrittenGguf extends Merged {
  /** Number of tensors by type. */
  types: Record<string, number>;
}

/** A file that is further from what it was made from than this part of what the adapters have changed has lost too much. */
const MAX_SHARE_OF_ADAPTER = 0.1;
/** The same without an adapter, in nats per token. */
const MAX_KL = 0.05;

/** Writes a new folder that Transformers can load. @throws CodedError `export_differs` if it isn't read as it was meant */
export async function mergeIntoFolder(
  out: string,
  base: ModelFiles,
  saved: readonly SavedAdapter[],
  options: MergeOptions & FolderChoice & CertifyOptions,
): Promise<Merged> {
  const merged = mergeAdapters(base, saved, options.reporter.warn);
  try {
    const { model, files, changed } = merged;
    const onTensor = eachTensor(allParameters(model, changed).size, options);
    const written = modelFolderFiles(model, files, changed, { ...options, onTensor });
    checkFreeSpace(dirname(out), bytesOf(written), 'choose a folder on another disk with --out');
    await writeFolderFiles(out, written);
    const certified = await verified(() => openHuggingFaceFolder(out, out), [options.dtype], merged, options);
    return { ...certified, changed_parameters: merged.changed.size };
  } finally {
    merged.dispose();
  }
}

/**
 * Writes a GGUF file.
 * @throws InputError if a type can't hold a value, CodedError `export_differs` if the file isn't read as it was meant
 */
export async function mergeIntoGguf(
  out: string,
  base: ModelFiles,
  saved: readonly SavedAdapter[],
  options: GgufMergeOptions,
): Promise<WrittenGguf> {
  const merged = mergeAdapters(base, saved, options.reporter.warn, options.served);
  try {
    const parts = ggufParts(merged, options);
    try {
      checkFreeSpace(dirname(out), ggufBytes(parts), 'choose a folder on another disk with --out');
      const fallbacks = parts.tensors.flatMap(({ fallback }) => fallback ?? []);
      const fallback = fallbackText(fallbacks, parts.tensors.filter(({ shape }) => shape.length > 1).length);
      if (fallback) options.reporter.warn('type_fallback', fallback);
      const encoded = parts.tensors.flatMap(({ isCopy, ggmlType }) => (isCopy ? [] : ggmlType));
      let certified: Certified | null = null;
      const verify = async (temporary: string) => {
        certified = await verified(() => openGguf(temporary, temporary), new Set(encoded), merged, options);
      };
      await streamGguf(out, parts, { verify, onTensor: eachTensor(parts.tensors.length, options) });
      const types: Record<string, number> = {};
      for (const { ggmlType } of parts.tensors) types[ggmlType] = (types[ggmlType] ?? 0) + 1;
      return { types, ...(certified as Certified | null)!, changed_parameters: merged.changed.size };
    } finally {
      parts.close();
    }
  } finally {
    merged.dispose();
  }
}

/** Reports each tensor, and ends the work when it is cancelled. */
function eachTensor(total: number, { signal, reporter }: MergeOptions): () => void {
  let done = 0;
  return () => {
    if (signal.aborted) throw new CancelledError('Stopped; nothing was written.');
    reporter.progress('write', done++, total);
  };
}

/** Reads what was written as any other model, and compares it with what it was made from. */
async function verified(
  open: () => ModelFiles,
  types: Iterable<string>,
  merged: MergedModel,
  options: CertifyOptions,
): Promise<Certified> {
  const written = reopened(open, merged.files);
  try {
    const certified = await certifyModel(written, types, merged, options);
    if (certified.rounding) warnOfRounding(certified.rounding, types, options);
    return certified;
  } finally {
    written.close();
  }
}

function reopened(open: () => ModelFiles, { path: from }: ModelFiles): ModelFiles {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`the written file can't be read again, so it was removed: ${error.message}`, {
      file: from,
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  }
}

/** Proposes a type with more bits where the rounding has undone a part of what the adapters have changed. */
function warnOfRounding(
  { kl, adapter_kl: adapterKl }: Rounding,
  types: Iterable<string>,
  { reporter, finer }: CertifyOptions,
): void {
  if (kl <= (adapterKl === null ? MAX_KL : MAX_SHARE_OF_ADAPTER * adapterKl)) return;
  const lost = adapterKl === null ? '' : `, and the adapter has moved the base by ${adapterKl.toFixed(4)}`;
  const advice = finer?.(types) ?? null;
  const more = advice === null ? '' : `; to keep more, ${advice}`;
  reporter.warn('rounding', `rounding has moved the model by ${kl.toFixed(4)} nats per token${lost}${more}`);
}
