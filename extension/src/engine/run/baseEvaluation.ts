// The evaluation of an untrained adapter that doesn't change the base, kept for other runs on the same base and rows. Used by
// executeRun.ts if a run has a cache. The name of a file is a hash of all that the figures follow from.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { fileHash, valueHash } from '../data/fileHash.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import type { ModelFiles } from '../files/tensorSource.js';
import { readText } from '../../system/regularFile.js';
import type { Evaluation } from '../training/evaluate.js';
import type { RowSet } from '../training/stepPlan.js';
import { engineIdentity } from './engineVersion.js';
import type { PreparedRun } from './prepareRun.js';

const evaluationSchema = z.object({
  loss: z.number(),
  metrics: z.record(z.string(), z.number()),
  numLabelTokens: z.int(),
});

/** An evaluation that another run may have made. */
export interface KnownEvaluation {
  /** null if none has. */
  read(): Evaluation | null;
  keep(evaluation: Evaluation): void;
}

/**
 * null if the untrained adapter changes what the model computes.
 * @throws InputError if the model's files can't be read
 */
export async function baseEvaluation(folder: string, prepared: PreparedRun): Promise<KnownEvaluation | null> {
  const { run, onDisk, adapter, backend, compile, rows, settings, shape } = prepared;
  const { training } = run.config;
  const { validation } = rows;
  if (validation === null || run.initFrom !== null || !adapter.method.identityAtStart(run.methodConfig)) return null;
  const { files } = onDisk;
  const isExact = settings.base_weights === 'float32' && settings.precision === 'float32';
  const key = valueHash({
    engine: engineIdentity(),
    backend: [backend.name, backend.libraryVersion, backend.device, backend.threads, compile],
    model: await modelHash(files),
    settings,
    // Their trained copies aren't rounded as frozen weights are.
    replaced: isExact ? [] : [...(adapter.forwardOptions.replaced?.keys() ?? [])].sort(),
    objective: shape.objective.name,
    batch: [
      training.per_device_eval_batch_size ?? training.per_device_train_batch_size,
      shape.maxLength,
      shape.packing,
      shape.virtualTokens,
    ],
    rows: rowsHash(validation),
  });
  const path = join(folder, `base-${key}.json`);
  return {
    read: () => {
      const text = readText(path, 'refuse');
      return text === null ? null : evaluationSchema.parse(JSON.parse(text));
    },
    keep: evaluation => writeFileAtomically(path, append => append(Buffer.from(JSON.stringify(evaluation)))),
  };
}

/** Of the weights' files and config.json. @throws InputError if they can't be read */
export async function modelHash({ tensors, config }: ModelFiles): Promise<string> {
  const paths = [...new Set([...tensors.values()].flatMap(({ place }) => place.file ?? []))].sort();
  return valueHash([config, ...(await Promise.all(paths.map(path => fileHash(path))))]);
}

function rowsHash({ dataset, indices }: RowSet): string {
  const hash = createHash('sha256');
  for (const row of Array.from(indices)) {
    const { inputIds, labels } = dataset.get(row);
    hash.update(Int32Array.of(inputIds.length));
    hash.update(inputIds);
    hash.update(labels);
  }
  return hash.digest('hex');
}
