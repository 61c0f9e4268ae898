// The losses of a run's training rows, each by itself, under the base and under the result. Measured once and kept in the run folder.
// Called by `rows`.
import { isFull } from '../backend/backend.js';
import { join } from 'node:path';
import { statSync } from 'node:fs';
import * as z from 'zod';
import { InputError, unlessWrong } from '../../core/inputError.js';
import { namesIn } from '../../system/regularFile.js';
import { valueHash } from '../data/fileHash.js';
import { readJsonObject, writeJson } from '../files/jsonFile.js';
import type { CausalLm } from '../models/causalLm.js';
import { loadAdapter } from '../peft/adapterFiles.js';
import type { Adapter } from '../peft/adapter.js';
import { nonFiniteLoss } from '../training/evaluate.js';
import { meanLoss, type RowLosses as RowTokenLosses } from '../training/tokenLosses.js';
import { openTrained } from './attachMethod.js';
import { engineIdentity } from './engineVersion.js';
import { loadOnto, openModel, openModelFiles } from './openModel.js';
import { OwnedResources } from './ownedResources.js';
import type { Reporter } from './reporter.js';
import type { RunRows } from './runStepRows.js';
import { scoreRows } from './scoreRows.js';

/** Means over the label tokens of a row. */
export interface RowLoss {
  /** Under the base; null if it doesn't know a token that was added for training. */
  before: number | null;
  now: number;
}

const keptSchema = z.object({
  /** What the losses follow from. */
  key: z.string(),
  rows: z.array(z.tuple([z.int(), z.number().nullable(), z.number()])),
});

/** The trained weights of a run. */
interface Weights {
  /** Relative to the run folder. */
  name: string;
  isModel: boolean;
}

/** The result of a run, or its last checkpoint while there is none; null if there is neither. */
function weightsOf({ folder, events }: RunRows): Weights | null {
  const completed = events.findLast(event => event.type === 'completed' || event.type === 'started');
  if (completed?.type === 'completed') return { name: completed.adapter, isModel: completed.adapter === 'model' };
  const step = folder.checkpointSteps().at(-1);
  return step === undefined ? null : { name: `checkpoints/step-${step}`, isModel: false };
}

export interface MeasuredRows {
  /** Relative to the run folder. */
  weights: string;
  /** By the row's index in the dataset. */
  losses: ReadonlyMap<number, RowLoss>;
}

/** The losses that were measured before with the same weights; null if there are no weights yet. */
export function knownLosses(opened: RunRows): MeasuredRows | null {
  const weights = weightsOf(opened);
  if (weights === null) return null;
  const file = lossesFile(opened);
  const kept = unlessWrong(() => keptSchema.safeParse(readJsonObject(file, 'refuse')).data);
  const rows = kept?.key === keyOf(opened, weights) ? kept.rows : [];
  return { weights: weights.name, losses: new Map(rows.map(([row, before, now]) => [row, { before, now }])) };
}

/**
 * Measures those rows whose losses aren't known, and keeps them.
 * @throws InputError if the run has neither a result nor a checkpoint
 */
export async function measureRows(
  opened: RunRows,
  indices: readonly number[],
  reporter: Reporter,
): Promise<MeasuredRows> {
  const known = knownLosses(opened);
  if (known === null)
    throw new InputError('the run has neither a result nor a checkpoint to measure losses with', {
      file: opened.folder.path,
      hint: 'Wait for its first checkpoint.',
    });
  const missing = indices.filter(row => !known.losses.has(row));
  if (missing.length === 0) return known;
  const weights = weightsOf(opened)!;
  const key = keyOf(opened, weights);
  const measured = await measure(opened, weights, missing, reporter);
  const losses = new Map([...known.losses, ...measured]);
  writeJson(lossesFile(opened), { key, rows: [...losses].map(([row, { before, now }]) => [row, before, now]) });
  return { weights: known.weights, losses };
}

async function measure(
  { folder, run, rows }: RunRows,
  { name, isModel }: Weights,
  indices: readonly number[],
  reporter: Reporter,
): Promise<Map<number, RowLoss>> {
  const { base, shape, train, attached } = rows;
  const { dataset } = train;
  const { training, engine } = run.config;
  const sizes = {
    batchSize: training.per_device_eval_batch_size ?? training.per_device_train_batch_size,
    maxLength: shape.maxLength,
  };
  const path = join(folder.path, name);
  const ofBase = new OwnedResources();
  const ofResult = new OwnedResources();
  try {
    const { model, backend } = await openModel(base, engine, reporter);
    ofBase.own(model, each => each.dispose());
    const compile = isFull(backend);
    const lossesOf = async (
      indices: readonly number[],
      scored: { model: CausalLm; adapter: Adapter | null },
      from: string,
    ) => {
      const losses = new Map<number, number>();
      if (indices.length === 0) return losses;
      const onRows = (some: () => RowTokenLosses[]) => some().forEach(row => losses.set(row.row, meanLoss(row)));
      const { loss } = await scoreRows({ ...scored, dataset, indices, compile, sizes, reporter, onRows });
      if (!Number.isFinite(loss)) throw nonFiniteLoss('the loss', from);
      return losses;
    };
    const hasAddedTokens = attached.architecture.vocabSize > base.architecture.vocabSize;
    const isKnown = (row: number) => dataset.get(row).inputIds.every(id => id < base.architecture.vocabSize);
    const ofKnown = hasAddedTokens ? indices.filter(isKnown) : indices;
    const before = await lossesOf(ofKnown, { model, adapter: null }, run.config.model);

    let trained: { model: CausalLm; adapter: Adapter | null };
    if (isModel) {
      ofBase.dispose();
      const onDisk = await openModelFiles(path, folder.path, reporter);
      ofResult.own(onDisk.files, files => files.close());
      trained = { model: loadOnto(backend, onDisk, reporter).model, adapter: null };
      ofResult.own(trained.model, each => each.dispose());
    } else {
      const saved = openTrained(path, base.architecture, { files: base.files, onWarning: reporter.warn });
      ofResult.own(saved, each => each.close());
      trained = { model, adapter: ofResult.own(loadAdapter(saved, model), each => each.dispose()) };
    }
    const now = await lossesOf(indices, trained, path);
    return new Map(indices.map(row => [row, { before: before.get(row) ?? null, now: now.get(row)! }]));
  } finally {
    ofResult.dispose();
    ofBase.dispose();
  }
}

function lossesFile({ folder }: RunRows): string {
  return join(folder.path, 'row-losses.json');
}

/** Changes with everything that the losses follow from. */
function keyOf({ folder, run, rows }: RunRows, { name }: Weights): string {
  const path = join(folder.path, name);
  const files = namesIn(path)
    .toSorted()
    .map(file => {
      const { size, mtimeMs } = statSync(join(path, file));
      return [file, size, mtimeMs];
    });
  const { dataset, indices } = rows.train;
  return valueHash([engineIdentity(), name, files, dataset.stats.contentHash, indices.length, run.config.engine]);
}
