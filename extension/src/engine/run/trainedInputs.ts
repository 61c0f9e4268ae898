// What a run is trained on, as hashes that its checkpoints keep, so that a resumed run notices a change. Called by prepareRun.ts.
import { createHash } from 'node:crypto';
import { InputError } from '../../core/inputError.js';
import { valueHash } from '../data/fileHash.js';
import { piecesOf, type StoredTensor } from '../files/tensorSource.js';
import { valueCount } from '../files/tensorEntry.js';
import { findTensors } from '../models/loadModel.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import type { TrainedInputs, TrainerState } from '../training/checkpoint.js';
import type { PlannedRun } from './prepareRun.js';

/** Models of up to so many bytes are hashed as a whole. */
const WHOLE_BYTES = 32 << 20;
/** Rows that are hashed of each tensor of a larger one. */
const SAMPLED_ROWS = 8;

/** Keys of config.json that say who wrote it, not what the model is. */
const WRITER_KEYS = ['transformers_version', '_name_or_path'];

/** @throws InputError if the model's files can't be read */
export function inputsOf({ onDisk, rows }: Pick<PlannedRun, 'onDisk' | 'rows'>): TrainedInputs {
  const { tokenizer } = onDisk.files;
  const { chat_template: template, ...config } = tokenizer?.config ?? {};
  return {
    model: modelFingerprint(onDisk),
    tokenizer: tokenizer && valueHash([tokenizer.tokenizer, config]),
    chat_template: template === undefined || template === null ? null : valueHash(template),
    validation_rows: rows.validation?.dataset.stats.contentHash ?? null,
  };
}

/** Of config.json, and of the names, sizes and sampled rows of the tensors that the model reads, whatever files they are in. */
function modelFingerprint({ files, architecture }: ModelOnDisk): string {
  const hash = createHash('sha256');
  const config = Object.entries(files.config).filter(([key]) => !WRITER_KEYS.includes(key));
  hash.update(JSON.stringify(config.toSorted(byName)));
  const tensors = findTensors(files, architecture).map((tensor): [string, StoredTensor] => [tensor.name, tensor]);
  const isSmall = tensors.reduce((sum, [, { byteLength }]) => sum + byteLength, 0) <= WHOLE_BYTES;
  for (const [name, tensor] of tensors.toSorted(byName)) {
    const { shape, dtype, byteLength } = tensor;
    hash.update(JSON.stringify([name, shape, dtype, byteLength]));
    for (const values of isSmall ? piecesOf(tensor) : sampleOf(tensor)) hash.update(values);
  }
  return hash.digest('hex');
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function* sampleOf({ shape, readRows }: StoredTensor): Iterable<Float32Array> {
  const rows = valueCount(shape.slice(0, -1));
  const count = Math.min(rows, SAMPLED_ROWS);
  for (let i = 0; i < count; i++) yield readRows(Math.floor((i * rows) / count), 1);
}

const NAMES: Record<Exclude<keyof TrainedInputs, 'model'>, string> = {
  tokenizer: 'tokenizer',
  chat_template: 'chat template',
  validation_rows: 'validation rows',
};

/**
 * Compares what a run was trained on with what there is now. Warns where the run can go on.
 * @param key of the model in the run file, for messages
 * @throws InputError if the base is another one: what was trained only fits that of the checkpoint
 */
export function checkInputs(
  { inputs: then, dataset_hash: rowsThen }: TrainerState,
  now: TrainedInputs,
  rowsNow: string,
  { model, warn }: { model: string; warn(code: string, message: string): void },
): void {
  if (then && then.model !== now.model)
    throw new InputError('the base model has changed since the checkpoint (its config.json or its weights)', {
      file: model,
      key: 'model',
      hint: 'Put the model back as it was, or start a new run. What was trained doesn’t fit another base.',
    });
  const changed = (code: string, what: string) =>
    warn(
      `${code}_changed`,
      `Changed since the checkpoint: the ${what}. From here on the run differs from an uninterrupted one.`,
    );
  if (rowsThen !== rowsNow) changed('dataset', 'training rows');
  for (const key of Object.keys(NAMES) as (keyof typeof NAMES)[])
    if (then && then[key] !== now[key]) changed(key, NAMES[key]);
}
