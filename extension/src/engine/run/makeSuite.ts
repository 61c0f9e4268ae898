// Makes an evaluation suite of dataset rows that are not trained on: those that a run holds out, or those of a dataset that a run with
// the same share and seed would hold out. Called by `suite`.
import { isFolder } from '../../system/fileStat.js';
import { dirname, join } from 'node:path';
import { suiteRowOf, type WrittenSuiteRow } from '../../core/evaluation/suiteRow.js';
import { InputError } from '../../core/inputError.js';
import { datasetConfigSchema } from '../../protocol/datasetConfig.js';
import { datasetFile } from '../data/datasetFile.js';
import { splitRows } from '../data/split.js';
import { trainedAmong } from './contamination.js';
import { openModelFiles } from './openModel.js';
import { readRunFile, type RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';
import { tokenizerWithTemplateOf } from './runRows.js';
import {
  editedSince,
  hashedExamples,
  modelOf,
  recordedHashes,
  trainedAndHeldOut,
  trainingFile,
  type HashedExample,
} from './trainedRows.js';

export interface MadeSuite {
  rows: WrittenSuiteRow[];
  /** Held-out rows left out since an equal one is trained on, or came before. */
  repeated: number;
  /** Held-out rows without a question and an answer. */
  unanswered: number;
}

/**
 * @param path run file, or folder of a run
 * @throws InputError if the run holds no rows out, or that can't be told as its training file was edited
 */
export async function suiteOfRun(path: string, check: string, reporter: Reporter): Promise<MadeSuite> {
  const run = readRunFile(isFolder(path) ? join(path, 'run.json') : path);
  const { heldOut, trained } = await dividedRows(run, reporter);
  const { reference, folder } = modelOf(run);
  const { files, tokenizer } = await openModelFiles(reference, folder, reporter);
  files.close();
  const hasChatTemplate = tokenizerWithTemplateOf(run, tokenizer).chatTemplate !== null;
  return suiteOf(heldOut, trained, { check, hasChatTemplate });
}

/** The rows that a run holds out, and hashes of what it trains on; of a file of its own for validation, those that it has too. */
async function dividedRows(
  run: RunFile,
  reporter: Reporter,
): Promise<{ heldOut: HashedExample[]; trained: ReadonlySet<string> }> {
  const { dataset } = run.config;
  const checkUnchanged = (contentHash: string) => {
    if (recordedHashes(dirname(run.path)).some(hash => hash !== contentHash)) throw editedSince(trainingFile(run));
  };
  if (dataset.validation === null)
    throw new InputError('the run trains on all rows of its dataset', {
      file: run.path,
      key: 'dataset.validation',
      hint: 'Set it to a share of the rows or to a file, and train again: a suite must not have rows that are trained on.',
    });
  if (typeof dataset.validation === 'string') {
    const file = datasetFile(run.resolvePath(dataset.validation), 'validation');
    const { rows: heldOut } = await hashedExamples(file, dataset, () => true);
    const hashes = hashesOf(heldOut);
    const { rows, contentHash } = await trainedAmong(run, hash => hashes.has(hash), modelOf(run), reporter);
    checkUnchanged(contentHash);
    return { heldOut, trained: hashesOf(rows) };
  }
  const { rows, contentHash } = await hashedExamples(trainingFile(run), dataset, () => true);
  checkUnchanged(contentHash);
  const divided = await trainedAndHeldOut(run, modelOf(run), reporter);
  const on = (which: ReadonlySet<number>) => rows.filter(({ number }) => which.has(number));
  return { heldOut: on(divided.heldOut), trained: hashesOf(on(divided.trained)) };
}

function hashesOf(rows: readonly HashedExample[]): Set<string> {
  return new Set(rows.map(({ hash }) => hash));
}

/**
 * @param share of the rows; 1: all, of a file that nothing is trained on
 * @throws InputError if there are fewer than two rows to divide
 */
export async function suiteOfDataset(
  path: string,
  { check, share, seed }: { check: string; share: number; seed: number },
): Promise<MadeSuite> {
  const file = datasetFile(path, share === 1 ? 'validation' : 'train');
  const { rows } = await hashedExamples(file, datasetConfigSchema.parse({ train: file }), () => true);
  const options = { check, hasChatTemplate: true };
  if (share === 1) return suiteOf(rows, new Set(), options);
  const split = splitRows({ length: rows.length, excluded: [], leftOut: [] }, share, seed);
  const of = (indices: Int32Array) => Array.from(indices, i => rows[i]!);
  return suiteOf(of(split.validation), hashesOf(of(split.train)), options);
}

function suiteOf(
  heldOut: readonly HashedExample[],
  trained: ReadonlySet<string>,
  options: { check: string; hasChatTemplate: boolean },
): MadeSuite {
  const fresh = new Map(heldOut.filter(({ hash }) => !trained.has(hash)).map(row => [row.hash, row]));
  const rows = [...fresh.values()].flatMap(
    ({ example, hash }) => suiteRowOf(example, { ...options, source: hash }) ?? [],
  );
  return { rows, repeated: heldOut.length - fresh.size, unanswered: fresh.size - rows.length };
}
