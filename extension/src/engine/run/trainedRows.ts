// Which rows of its files a run trains on and which it holds out, found again from its run file as training finds them. Used to make
// suites and to find rows of suites among those that an adapter was trained on.
import { join } from 'node:path';
import type { RowSource, SequenceExample } from '../../core/data/example.js';
import { datasetFile } from '../data/datasetFile.js';
import { readExamples } from '../data/loadDataset.js';
import { sourceHash } from '../data/sourceHash.js';
import { InputError } from '../../core/inputError.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import type { AttachedMethod } from '../peft/attachedMethod.js';
import { runShape, type RunShape } from '../training/runShape.js';
import { readEvents } from '../runFolder/eventLog.js';
import type { RowSet } from '../training/stepPlan.js';
import { attachMethod } from './attachMethod.js';
import { excludedRows } from './excludedRows.js';
import { openModelFiles } from './openModel.js';
import { OwnedResources } from './ownedResources.js';
import type { RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';
import { modelReference } from './resolvedRun.js';
import { loadRows, withTemplateOf } from './runRows.js';

export interface HashedExample {
  example: SequenceExample;
  source: RowSource;
  /** Which of the rows of its file that can be read it is, from 0. */
  number: number;
  hash: string;
}

export interface HashedRows {
  rows: HashedExample[];
  /** SHA-256 of the file. */
  contentHash: string;
}

/** @param wanted which hashes to keep */
export async function hashedExamples(
  file: string,
  config: RunFile['config']['dataset'],
  wanted: (hash: string) => boolean,
): Promise<HashedRows> {
  const rows: HashedExample[] = [];
  let contentHash = '';
  for await (const { example, source, number } of readExamples(file, config, {
    onHash: hash => (contentHash = hash),
  })) {
    const hash = sourceHash(example);
    if (wanted(hash)) rows.push({ example, source, number, hash });
  }
  return { rows, contentHash };
}

export function trainingFile({ config, resolvePath }: RunFile): string {
  return datasetFile(resolvePath(config.dataset.train), 'train');
}

/**
 * SHA-256 of the training file as the run of a folder read it, each time that it was started or resumed: it may have been edited in
 * between. None in old run folders, and in a folder without a run.
 */
export function recordedHashes(folder: string): string[] {
  return readEvents(join(folder, 'events.ndjson')).flatMap(event =>
    event.type === 'started' ? (event.dataset_hash ?? []) : [],
  );
}

/** @param file the training file of a run, which isn't as the run read it */
export function editedSince(file: string): InputError {
  return new InputError('this is not what the run was trained on', {
    file,
    hint: 'The file has been edited since. Restore it as it was, or train again.',
  });
}

/** A model as it is named, and the base of relative paths. */
export interface ModelPlace {
  reference: string;
  folder: string;
}

/** Rows of the training file, by their numbers: several may be on one line. */
export interface DividedRows {
  trained: ReadonlySet<number>;
  /** Of a run with a share for validation. */
  heldOut: ReadonlySet<number>;
}

/** Rows of a run's training file, and what their tokens follow from. */
export interface TrainingRows {
  base: ModelOnDisk;
  /** The base with the run's tokenizer and template. */
  onDisk: ModelOnDisk;
  attached: AttachedMethod;
  shape: RunShape;
  train: RowSet;
  /** Of a run with a share for validation. */
  heldOut: RowSet | null;
}

/**
 * Loads the rows of a run's training file as the run does, and divides them alike. No weight is read.
 * @param model the run's, which may be elsewhere by now
 * @param owned frees what is opened
 * @throws InputError if the training file or the model can't be read
 */
export async function trainingRows(
  run: RunFile,
  model: ModelPlace,
  reporter: Reporter,
  owned: OwnedResources,
): Promise<TrainingRows> {
  const base = await openModelFiles(model.reference, model.folder, reporter);
  owned.own(base.files, files => files.close());
  const { attached, start } = attachMethod(run, base.architecture, { files: base.files });
  if (start) owned.own(start, saved => saved.close());
  const onDisk = withTemplateOf(run, start ? modelForAdapter(base, start, () => {}) : base);
  const shape = runShape(run.config, attached);
  const { dataset } = run.config;
  const validation = typeof dataset.validation === 'number' ? dataset.validation : null;
  const { train, validation: heldOut } = await loadRows(
    { ...run, config: { ...run.config, dataset: { ...dataset, validation } } },
    { ...onDisk, architecture: attached.architecture },
    { maxLength: shape.maxLength, limitedBy: null },
    excludedRows(run),
    { ...reporter, warn: () => {} },
    new AbortController().signal,
  );
  owned.own(train.dataset, rows => rows.close());
  return { base, onDisk, attached, shape, train, heldOut };
}

/** How a run divides its training file. @param model as for `trainingRows` */
export async function trainedAndHeldOut(run: RunFile, model: ModelPlace, reporter: Reporter): Promise<DividedRows> {
  const owned = new OwnedResources();
  try {
    const { train, heldOut } = await trainingRows(run, model, reporter, owned);
    return { trained: numbersOf(train), heldOut: heldOut ? numbersOf(heldOut) : new Set() };
  } finally {
    owned.dispose();
  }
}

/** The rows' numbers in their file. */
export function numbersOf({ dataset, indices }: RowSet): Set<number> {
  return new Set(Array.from(indices, i => dataset.numberOf(i)));
}

/** The model that a run file names. */
export function modelOf(run: RunFile): ModelPlace {
  return { reference: modelReference(run), folder: run.resolvePath('.') };
}
