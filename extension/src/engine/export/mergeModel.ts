// Merges adapters into a base and writes the model as a Hugging Face folder or as GGUF; without an adapter it converts. Called by the
// targets of merged models. Checks room, reads a GGUF again and measures what its rounding costs before the file is put in place.
import { dirname } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { countLabels, type EncodedExample } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import { divergencesFrom, type ComparedModel } from './compareModels.js';
import { ggufParts, type GgufChoice } from './ggufParts.js';
import { mergeAdapters, type MergedModel } from './mergedModel.js';
import { checkFreeSpace } from '../files/diskSpace.js';
import { bytesOf, writeFolderFiles } from '../files/folderFile.js';
import { openGguf } from '../files/ggufModel.js';
import { ggufBytes, streamGguf } from '../files/ggufWriter.js';
import type { FloatDtype } from '../files/tensorEntry.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { CausalLm } from '../models/causalLm.js';
import { allParameters, computedOnUse, isUntied } from '../models/changedParameters.js';
import { modelOnFiles } from '../models/loadModel.js';
import { differenceOf } from '../models/sameArchitecture.js';
import { modelFolderFiles } from '../models/writeModelFolder.js';
import type { SavedAdapter } from '../peft/adapterFiles.js';
import { usableLength } from '../peft/attachedMethod.js';
import { generalRows } from '../run/generalRows.js';
import { tokenizerOf } from '../run/openModel.js';
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

export interface GgufMergeOptions extends MergeOptions, GgufChoice {
  /** Whether the written file is compared with base + adapter. */
  compare: boolean;
  /** File with the rows on which they are compared; null: the bundled texts. */
  generalTexts: string | null;
}

export interface WrittenGguf {
  bytes: number;
  /** Number of tensors by type. */
  types: Record<string, number>;
  /** Null if it wasn't measured. */
  rounding: Rounding | null;
}

/** What the rounding of a file has changed, in nats per token. */
export interface Rounding {
  /** KL(base + adapter || written file) */
  kl: number;
  /** KL(base + adapter || base); null without an adapter. */
  adapter_kl: number | null;
  label_tokens: number;
}

/** A file that is further from what it was made of than this part of what the adapters have changed has lost too much. */
const MAX_SHARE_OF_ADAPTER = 0.1;
/** The same without an adapter, in nats per token. */
const MAX_KL = 0.05;

/** Writes a new folder that Transformers can load. @returns the number of parameters that the adapters changed */
export async function mergeIntoFolder(
  out: string,
  base: ModelFiles,
  saved: readonly SavedAdapter[],
  options: MergeOptions & FolderChoice,
): Promise<number> {
  const merged = mergeAdapters(base, saved, options.reporter.warn);
  try {
    const { model, files, changed } = merged;
    const onTensor = eachTensor(allParameters(model, changed).size, options);
    const written = modelFolderFiles(model, files, changed, { ...options, onTensor });
    await checkFreeSpace(dirname(out), bytesOf(written), 'choose a folder on another disk with --out');
    await writeFolderFiles(out, written);
    return merged.changed.size;
  } finally {
    merged.dispose();
  }
}

/** Writes a GGUF file. @throws InputError if a type can't hold a value, or if the file isn't read as it was meant */
export async function mergeIntoGguf(
  out: string,
  base: ModelFiles,
  saved: readonly SavedAdapter[],
  options: GgufMergeOptions,
): Promise<WrittenGguf & { changed: number }> {
  const merged = mergeAdapters(base, saved, options.reporter.warn);
  try {
    const parts = ggufParts(merged, options);
    try {
      const bytes = ggufBytes(parts);
      await checkFreeSpace(dirname(out), bytes, 'choose a folder on another disk with --out');
      let rounding: Rounding | null = null;
      const verify = async (temporary: string) => {
        rounding = await verified(temporary, merged, options);
      };
      await streamGguf(out, parts, { verify, onTensor: eachTensor(parts.tensors.length, options) });
      const types: Record<string, number> = {};
      for (const { ggmlType } of parts.tensors) types[ggmlType] = (types[ggmlType] ?? 0) + 1;
      return { bytes, types, rounding, changed: merged.changed.size };
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

/** Reads the written file as any other. */
async function verified(path: string, merged: MergedModel, options: GgufMergeOptions): Promise<Rounding | null> {
  const written = reopened(path, merged.files);
  try {
    const model = modelOnFiles(written);
    try {
      checkSameModel(merged, model);
      if (!options.compare || !merged.files.tokenizer) return null;
      const rows = await rowsOf(merged, merged.files, options);
      const again = await rowsOf(merged, written, options);
      checkSameTokens(rows, again, merged.files);
      return await roundingOf(merged, { model, options: {} }, rows, options);
    } finally {
      model.dispose();
    }
  } finally {
    written.close();
  }
}

function reopened(path: string, { path: from }: ModelFiles): ModelFiles {
  try {
    return openGguf(path, path);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`the written file can't be read again, so it was removed: ${error.message}`, {
      file: from,
      hint: 'Write a Hugging Face folder instead: --out FOLDER.',
    });
  }
}

/** @throws InputError if the file is read as a model that computes something else */
function checkSameModel({ model: { architecture }, files, changed }: MergedModel, written: CausalLm): void {
  const isTied = architecture.tieWordEmbeddings && !isUntied(architecture, changed);
  const difference = differenceOf({ ...architecture, tieWordEmbeddings: isTied }, written.architecture);
  if (difference === null) return;
  throw new InputError(`GGUF can't express all of this model (${difference}), so nothing was written`, {
    file: files.path,
    hint: 'Write a Hugging Face folder instead: --out FOLDER.',
  });
}

function rowsOf(
  { model: { architecture }, changed }: MergedModel,
  files: ModelFiles,
  { generalTexts, reporter }: GgufMergeOptions,
): Promise<EncodedExample[]> {
  return generalRows({
    file: generalTexts,
    tokenizer: tokenizerOf(files),
    embeddingRows: changed.get(`${architecture.embedding}.weight`)?.shape[0] ?? architecture.vocabSize,
    usableLength: usableLength(architecture, null),
    reporter,
    key: '--general-texts',
  });
}

function checkSameTokens(
  rows: readonly EncodedExample[],
  again: readonly EncodedExample[],
  { path }: ModelFiles,
): void {
  const different = rows.findIndex(({ inputIds }, i) => inputIds.join() !== again[i]?.inputIds.join());
  if (different < 0) return;
  throw new InputError(`text ${different + 1} has other token ids in the written file, so nothing was written`, {
    file: path,
    hint: 'Its tokenizer can’t be expressed in GGUF. Write a Hugging Face folder instead: --out FOLDER.',
  });
}

async function roundingOf(
  { model, adapters, changed }: MergedModel,
  written: ComparedModel,
  rows: readonly EncodedExample[],
  { reporter, type, touched }: GgufMergeOptions,
): Promise<Rounding> {
  reporter.progress('compare', 0, null);
  const base = { model, options: {} };
  const [adapter] = adapters;
  // Of several adapters only the merged weights are known.
  const options = adapters.length === 1 ? adapter.forwardOptions : { replaced: computedOnUse(changed) };
  const others = adapters.length > 0 ? [written, base] : [written];
  const [kl, adapterKl = null] = await divergencesFrom(adapters.length > 0 ? { model, options } : base, others, rows);
  const rounding = {
    kl,
    adapter_kl: adapterKl,
    label_tokens: rows.reduce((sum, { labels }) => sum + countLabels(labels), 0),
  };
  if (kl > (adapterKl === null ? MAX_KL : MAX_SHARE_OF_ADAPTER * adapterKl)) {
    const lost = adapterKl === null ? '' : `, and the adapter has moved the base by ${adapterKl.toFixed(4)}`;
    const key = adapterKl === null ? '--type' : '--touched';
    const finer = [type, touched].includes('q8_0') ? 'f16' : 'q8_0';
    reporter.warn(
      'rounding',
      `rounding has moved the model by ${kl.toFixed(4)} nats per token${lost}; write it with ${key} ${finer} to keep more`,
    );
  }
  return rounding;
}
