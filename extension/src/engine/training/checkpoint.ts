// Checkpoints: everything that an exact resume needs. Batches, dropout and learning rate follow from the seed and the
// step, so only counters are saved in addition to the trained tensors and the optimizer's moments. Nothing of a checkpoint is used
// before all of its files have been compared with its manifest.
import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as z from 'zod';
import { InputError } from '../../core/inputError.js';
import { RUN_FOLDER_VERSION } from '../../protocol/engineEvent.js';
import { makeFolder } from '../../system/makeFolder.js';
import { asInputError, syncFolder, writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors, writeDeviceTensors, type SafetensorsFile } from '../files/safetensors.js';
import type { AdamW } from './adamW.js';
import { checkManifest, writeManifest } from './checkpointManifest.js';

/** What a run was trained on, as hashes by which a change is noticed; null for what it doesn't have. */
const trainedInputsSchema = z.object({
  /** Of the base's config.json and of its weights' sizes and samples (run/trainedInputs.ts). */
  model: z.string(),
  tokenizer: z.string().nullable(),
  chat_template: z.string().nullable(),
  validation_rows: z.string().nullable(),
});
export type TrainedInputs = z.infer<typeof trainedInputsSchema>;

const savedStateSchema = z.object({
  /** RUN_FOLDER_VERSION at the time of saving. */
  version: z.int().default(0),
  /** Optimizer updates made. */
  step: z.int().nonnegative(),
  num_tokens: z.int().nonnegative(),
  best_step: z.int().nonnegative().nullable(),
  /** The validation loss at `best_step`. */
  best_loss: z.number().nonnegative().nullable(),
  /** The value of metric_for_best_model there. */
  best_metric: z.number().nullable().default(null),
  /** The validation loss before training, else the loss of the first step; null if an earlier version did not save it. */
  initial_loss: z.number().nullable().default(null),
  /** The value of metric_for_best_model before training; null if it wasn't evaluated. */
  initial_metric: z.number().nullable().default(null),
  /** The evaluation at this step, by which another checkpoint is chosen if the best one is damaged; null if there was none. */
  evaluated: z.object({ loss: z.number(), metric: z.number() }).nullable().default(null),
  /** Evaluations since the last one that counts for early stopping. */
  evaluations_without_improvement: z.int().nonnegative(),
  train_seconds: z.number().nonnegative(),
  /** SHA-256 of the training file, to detect changed rows on resume. */
  dataset_hash: z.string(),
  /** The other inputs; null in versions before 2. */
  inputs: trainedInputsSchema.nullable().default(null),
  /** run.json as this run has it, in case that file is lost or changed; null in versions before 2. */
  run: z.record(z.string(), z.unknown()).nullable().default(null),
});

/** Earlier versions chose by the loss alone. */
export const trainerStateSchema = savedStateSchema
  .refine(({ step, best_step: best }) => best === null || best <= step)
  .transform(state => ({ ...state, best_metric: state.best_metric ?? state.best_loss }));
export type TrainerState = z.infer<typeof trainerStateSchema>;

export const TRAINABLE = 'trainable.safetensors';
export const OPTIMIZER = 'optimizer.safetensors';
const STATE = 'state.json';
const PARTS = [TRAINABLE, OPTIMIZER, STATE] as const;

/** Of RUN_FOLDER_VERSION: the first whose checkpoints have a manifest. */
const FIRST_WITH_MANIFEST = 2;

/**
 * Writes the complete folder or nothing: beside it, synced, then renamed. Does nothing if the checkpoint is there already.
 * @throws InputError if the disk is full
 */
export async function saveCheckpoint(
  folder: string,
  variables: ReadonlyMap<string, tf.Variable>,
  optimizer: AdamW,
  state: TrainerState,
): Promise<void> {
  await writeCheckpoint(folder, state, async partial => {
    await writeDeviceTensors(join(partial, TRAINABLE), variables);
    await writeDeviceTensors(join(partial, OPTIMIZER), optimizer.moments());
  });
}

/**
 * The same of tensors that `writeTensors` puts into the folder that it gets, under the names TRAINABLE and OPTIMIZER.
 * @throws InputError if the disk is full
 */
export async function writeCheckpoint(
  folder: string,
  state: TrainerState,
  writeTensors: (partial: string) => Promise<void> | void,
): Promise<void> {
  if (existsSync(folder) && 'state' in inspectCheckpoint(folder)) return;
  const partial = `${folder}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    makeFolder(partial);
    await writeTensors(partial);
    const text = Buffer.from(`${JSON.stringify(state, null, 2)}\n`);
    writeFileAtomically(join(partial, STATE), append => append(text));
    writeManifest(partial, PARTS);
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
    // The folder of all checkpoints may be new, too.
    for (const changed of [dirname(folder), dirname(dirname(folder))]) syncFolder(changed);
    // One that was set aside has been made again.
    rmSync(`${folder}.unused`, { recursive: true, force: true });
  } catch (error) {
    removePartial(partial);
    throw asInputError(error, folder);
  }
}

function removePartial(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // The disk may be read-only by now; what is left is swept by the next process.
  }
}

/**
 * The state of a checkpoint, all of whose files are as they were written, and whose headers, values and counters make sense. Those of
 * versions before 2 have no checksums.
 * @throws InputError with the code `checkpoint_damaged` and the file; one that a newer version wrote is another error
 */
export function readCheckpoint(folder: string, parts: readonly string[] = PARTS): TrainerState {
  const state = orDamaged(folder, () => {
    const isSealed = checkManifest(folder, parts);
    const saved = readState(folder);
    if (!isSealed && saved.version >= FIRST_WITH_MANIFEST)
      throw new InputError('its manifest.json is missing', { file: folder });
    // Also with a manifest: it may have been written for files that were damaged before.
    checkTensors(folder, parts);
    const named = /^step-(\d+)$/.exec(basename(folder))?.[1];
    if (named !== undefined && Number(named) !== saved.step)
      throw new InputError(`this is the state of step ${saved.step}, not of step ${named}`, {
        file: join(folder, STATE),
      });
    return saved;
  });
  checkVersion(state, folder);
  return state;
}

/** The state of a checkpoint, or what is damaged, with the file. @throws InputError if a newer version wrote it */
export function inspectCheckpoint(folder: string): { state: TrainerState } | { damage: string } {
  try {
    return { state: readCheckpoint(folder) };
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== 'checkpoint_damaged') throw error;
    return { damage: `${error.where}: ${error.message}` };
  }
}

/** @throws InputError if the folder isn't a checkpoint, or is one of a newer version */
export function readCheckpointState(folder: string): TrainerState {
  const state = readState(folder);
  checkVersion(state, folder);
  return state;
}

function readState(folder: string): TrainerState {
  const file = join(folder, STATE);
  const read = readJsonObject(file, 'refuse');
  if (read === null) throw new InputError('the file is missing', { file });
  const state = trainerStateSchema.safeParse(read);
  if (!state.success) throw new InputError('not a valid checkpoint', { file });
  return state.data;
}

function checkVersion({ version }: TrainerState, folder: string): void {
  if (version > RUN_FOLDER_VERSION)
    throw new InputError('a newer version of Tunewright wrote this checkpoint', {
      file: join(folder, STATE),
      hint: 'Resume with that version, or start a new run.',
    });
}

/** What is wrong with a file is damage, whatever the hint of its reader: it can't be downloaded again. */
function orDamaged<T>(folder: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { file = folder, key, message } = error.record();
    throw new InputError(message, { code: 'checkpoint_damaged', file, key, hint: 'Use another checkpoint.' });
  }
}

function checkTensors(folder: string, parts: readonly string[]): void {
  for (const name of parts.filter(part => part !== STATE)) {
    const file = openPart(join(folder, name));
    try {
      for (const tensor of file.tensors.values())
        if (!tensor.readFloat32().every(Number.isFinite))
          throw new InputError('the tensor has non-finite values', tensor.place);
    } finally {
      file.close();
    }
  }
}

/** Whether a folder has files of a checkpoint, complete or not. */
export function isCheckpoint(folder: string): boolean {
  return [TRAINABLE, STATE].some(name => existsSync(join(folder, name)));
}

/** The trained tensors. The caller closes the file. @throws InputError if they or the state of the checkpoint are damaged */
export function openTrainable(folder: string): SafetensorsFile {
  readCheckpoint(folder, [TRAINABLE, STATE]);
  return openSafetensors(join(folder, TRAINABLE));
}

/** Assigns the saved values to `variables` and, if given, the state of `optimizer`. Called for a checkpoint that was read. */
export function restoreCheckpoint(
  folder: string,
  variables: ReadonlyMap<string, tf.Variable>,
  optimizer: AdamW | null,
): void {
  restore(join(folder, TRAINABLE), variables);
  if (!optimizer) return;
  restore(join(folder, OPTIMIZER), optimizer.moments());
  optimizer.step = readCheckpointState(folder).step;
}

function openPart(path: string): SafetensorsFile {
  if (!existsSync(path)) throw new InputError('the file is missing', { file: path });
  return openSafetensors(path);
}

function restore(path: string, variables: ReadonlyMap<string, tf.Variable>): void {
  const file = openPart(path);
  try {
    for (const [key, variable] of variables) {
      const stored = file.tensors.get(key);
      if (!stored || stored.shape.join() !== variable.shape.join())
        throw new InputError(`tensor ${key} doesn't match this run`, {
          file: path,
          hint: 'The method’s settings have changed since this checkpoint; start a new run.',
        });
      tf.tidy(() => variable.assign(tf.tensor(stored.readFloat32(), variable.shape)));
    }
  } finally {
    file.close();
  }
}
