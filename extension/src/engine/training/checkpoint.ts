// Checkpoints: everything that an exact resume needs. Batches, dropout and learning rate follow from the seed and the
// step, so only counters are saved in addition to the trained tensors and the optimizer's moments.
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../core/inputError.js';
import { RUN_FOLDER_VERSION } from '../../protocol/engineEvent.js';
import { makeFolder } from '../../system/makeFolder.js';
import { asInputError, writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors, writeDeviceTensors, type SafetensorsFile } from '../files/safetensors.js';
import type { AdamW } from './adamW.js';

const savedStateSchema = z.object({
  /** RUN_FOLDER_VERSION at the time of saving. */
  version: z.int().default(0),
  /** Optimizer updates made. */
  step: z.int(),
  num_tokens: z.int(),
  best_step: z.int().nullable(),
  /** The validation loss at `best_step`. */
  best_loss: z.number().nullable(),
  /** The value of metric_for_best_model there. */
  best_metric: z.number().nullable().default(null),
  /** The validation loss before training, else the loss of the first step; null if an earlier version did not save it. */
  initial_loss: z.number().nullable().default(null),
  /** The value of metric_for_best_model before training; null if it wasn't evaluated. */
  initial_metric: z.number().nullable().default(null),
  /** Evaluations since the last one that counts for early stopping. */
  evaluations_without_improvement: z.int(),
  train_seconds: z.number(),
  /** SHA-256 of the training file, to detect changed rows on resume. */
  dataset_hash: z.string(),
});

/** Earlier versions chose by the loss alone. */
export const trainerStateSchema = savedStateSchema.transform(state => ({
  ...state,
  best_metric: state.best_metric ?? state.best_loss,
}));
export type TrainerState = z.infer<typeof trainerStateSchema>;

const TRAINABLE = 'trainable.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
const STATE = 'state.json';

/** Writes the complete folder or nothing. @throws InputError if the disk is full */
export async function saveCheckpoint(
  folder: string,
  variables: ReadonlyMap<string, tf.Variable>,
  optimizer: AdamW,
  state: TrainerState,
): Promise<void> {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    makeFolder(partial);
    await writeDeviceTensors(join(partial, TRAINABLE), variables);
    await writeDeviceTensors(join(partial, OPTIMIZER), optimizer.moments());
    const text = Buffer.from(`${JSON.stringify(state, null, 2)}\n`);
    writeFileAtomically(join(partial, STATE), append => append(text));
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw asInputError(error, folder);
  }
}

/** @throws InputError if the folder isn't a checkpoint, or is one of a newer version */
export function readCheckpointState(folder: string): TrainerState {
  const state = trainerStateSchema.safeParse(readJsonObject(join(folder, STATE), 'refuse'));
  if (!state.success) throw new InputError('not a valid checkpoint', { file: join(folder, STATE) });
  if (state.data.version > RUN_FOLDER_VERSION)
    throw new InputError('a newer version of Tunewright wrote this checkpoint', {
      file: join(folder, STATE),
      hint: 'Resume with that version, or start a new run.',
    });
  return state.data;
}

/** Whether a folder has files of a checkpoint, complete or not. */
export function isCheckpoint(folder: string): boolean {
  return [TRAINABLE, STATE].some(name => existsSync(join(folder, name)));
}

/** The trained tensors. The caller closes the file. @throws InputError if it is missing or damaged */
export function openTrainable(folder: string): SafetensorsFile {
  return openPart(join(folder, TRAINABLE));
}

/** Assigns the saved values to `variables` and, if given, the state of `optimizer`. */
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
  if (!existsSync(path))
    throw new InputError('this file of the checkpoint is missing', { file: path, hint: 'Use another checkpoint.' });
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
