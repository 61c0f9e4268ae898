// What a run is trained on, as hashes that its checkpoints keep, so that a resumed run notices a change. Called by prepareRun.ts.
import { createHash } from 'node:crypto';
import { InputError } from '../../core/inputError.js';
import { valueHash } from '../data/fileHash.js';
import type { ModelFiles } from '../files/tensorSource.js';
import type { TrainedInputs, TrainerState } from '../training/checkpoint.js';
import type { PlannedRun } from './prepareRun.js';

/** Models of up to so many bytes are hashed as a whole. */
const WHOLE_BYTES = 32 << 20;
/** Rows that are hashed of each tensor of a larger one. */
const SAMPLED_ROWS = 8;

/** Keys of config.json that say who wrote it, not what the model is. */
const WRITER_KEYS = ['transformers_version', '_name_or_path'];

/** @throws InputError if the model's files can't be read */
export function inputsOf({ onDisk: { files }, rows }: Pick<PlannedRun, 'onDisk' | 'rows'>): TrainedInputs {
  const { chat_template: template, ...config } = files.tokenizer?.config ?? {};
  return {
    model: modelFingerprint(files),
    tokenizer: files.tokenizer && valueHash([files.tokenizer.tokenizer, config]),
    chat_template: template === undefined || template === null ? null : valueHash(template),
    validation_rows: rows.validation?.dataset.stats.contentHash ?? null,
  };
}

/** Of config.json and of the names, sizes and sampled rows of the tensors, whatever files they are in. */
function modelFingerprint({ config, tensors }: Pick<ModelFiles, 'config' | 'tensors'>): string {
  const hash = createHash('sha256');
  const ofModel = Object.entries(config).filter(([key]) => !WRITER_KEYS.includes(key));
  hash.update(JSON.stringify(ofModel.toSorted(([a], [b]) => (a < b ? -1 : 1))));
  const total = [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  for (const [name, { shape, dtype, byteLength, readRows }] of [...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, shape, dtype, byteLength]));
    const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const count = total <= WHOLE_BYTES ? rows : Math.min(rows, SAMPLED_ROWS);
    for (let i = 0; i < count; i++) hash.update(readRows(Math.floor((i * rows) / count), 1));
  }
  return hash.digest('hex');
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
