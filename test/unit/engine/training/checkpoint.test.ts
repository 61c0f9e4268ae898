// Which checkpoints can be read: those of this version and of older ones.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readCheckpointState } from '../../../../extension/src/engine/training/checkpoint.js';
import { RUN_FOLDER_VERSION } from '../../../../extension/src/protocol/engineEvent.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const folder = mkdtempSync(join(tmpdir(), 'tunewright-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const STATE = {
  step: 4,
  num_tokens: 791,
  best_step: null,
  best_loss: null,
  evaluations_without_improvement: 0,
  train_seconds: 1,
  dataset_hash: 'x',
};
const write = (state: object) => writeFileSync(join(folder, 'state.json'), JSON.stringify(state));

it('reads a checkpoint without a version as version 0', () => {
  write(STATE);
  expect(readCheckpointState(folder)).toEqual({
    ...{ version: 0, initial_loss: null, best_metric: null, initial_metric: null },
    ...{ evaluated: null, inputs: null, run: null },
    ...STATE,
  });
});

it('reads one of a version that chose by the loss alone', () => {
  write({ ...STATE, best_step: 2, best_loss: 1.25 });
  expect(readCheckpointState(folder)).toMatchObject({ best_step: 2, best_loss: 1.25, best_metric: 1.25 });
});

it('refuses a checkpoint of a newer version', async () => {
  write({ ...STATE, version: RUN_FOLDER_VERSION + 1 });
  const error = await inputErrorOf(() => readCheckpointState(folder));
  expect(error.message).toContain('newer version');
  expect(error.where).toContain('state.json');
});
