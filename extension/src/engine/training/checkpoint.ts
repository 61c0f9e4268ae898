// Checkpoints: everything that an exact resume needs. Batches, dropout and schedules follow from the seed and the step, so
// beside the trained tensors and the optimizer's moments only counters are kept.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../core/inputError.js';
import { RUN_FOLDER_VERSION } from '../../protocol/engineEvent.js';
import { asInputError, writeFileAtomically } from '../files/atomicFile.js';
import { readJsonObject } from '../files/jsonFile.js';
import { openSafetensors, writeDeviceTensors } from '../files/safetensors.js';
import type { AdamW } from './adamW.js';

export const trainerStateSchema = z.object({
  /** Of the run folder. */
  version: z.int().default(0),
  /** Optimizer updates made. */
  step: z.int(),
  num_tokens: z.int(),
  best_step: z.int().nullable(),
  best_loss: z.number().nullable(),
  /** Evaluations since the best one. */
  evaluations_without_improvement: z.int(),
  train_seconds: z.number(),
  /** sha256 of the training file, to tell a resume on changed rows. */
  dataset_hash: z.string(),
});
export type TrainerState = z.infer<typeof trainerStateSchema>;

const TRAINABLE = 'trainable.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
const STATE = 'state.json';

/** Writes the folder as a whole or not at all. @throws InputError where the disk is full */
export async function saveCheckpoint(
  folder: string,
  variables: ReadonlyMap<string, tf.Variable>,
  optimizer: AdamW,
  state: TrainerState,
): Promise<void> {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    mkdirSync(partial, { recursive: true });
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

/** @throws InputError where it is no checkpoint */
export function readCheckpointState(folder: string): TrainerState {
  const state = trainerStateSchema.safeParse(readJsonObject(join(folder, STATE)));
  if (!state.success) throw new InputError('this is no checkpoint', { file: join(folder, STATE) });
  if (state.data.version > RUN_FOLDER_VERSION)
    throw new InputError('a newer version of Tunewright wrote this checkpoint', {
      file: join(folder, STATE),
      hint: 'Go on with that version, or start a new run.',
    });
  return state.data;
}

/** Puts the saved values into `variables` and, where given, `optimizer`. */
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

function restore(path: string, variables: ReadonlyMap<string, tf.Variable>): void {
  if (!existsSync(path)) throw new InputError('this file of the checkpoint is missing', { file: path });
  const file = openSafetensors(path);
  try {
    for (const [key, variable] of variables) {
      const stored = file.tensors.get(key);
      if (!stored || stored.shape.join() !== variable.shape.join())
        throw new InputError(`the checkpoint doesn't fit the run: tensor ${key}`, {
          file: path,
          hint: 'The method’s settings were changed since; start a new run.',
        });
      tf.tidy(() => variable.assign(tf.tensor(stored.readFloat32(), variable.shape)));
    }
  } finally {
    file.close();
  }
}
