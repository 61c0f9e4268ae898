// What becomes of a run whose checkpoints were damaged: the damaged one is named, an intact one is used, and the run ends as if
// nothing had happened. Only without an intact one is it an error, before training.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { RunFolder } from '../../../../extension/src/engine/runFolder/runFolder.js';
import { openSafetensors, writeSafetensors } from '../../../../extension/src/engine/files/safetensors.js';
import { inspectCheckpoint, readCheckpointState } from '../../../../extension/src/engine/training/checkpoint.js';
import { writeManifest } from '../../../../extension/src/engine/training/checkpointManifest.js';
import { lastGoodCheckpoint } from '../../../../extension/src/engine/training/resumePoint.js';
import { inputErrorOf } from '../../../support/inputErrors.js';
import { eventsOf, randomRows, tinyRun, type TinyRunOptions } from '../../../support/tinyRun.js';

vi.setConfig({ testTimeout: 60_000 });

/** The best evaluation is that of step 4. */
const SCORES: Record<number, number> = { 2: 0.4, 4: 0.9, 6: 0.5, 8: 0.7, 10: 0.3 };
const options = {
  train: randomRows(20),
  validation: randomRows(2, 9),
  training: {
    ...{ max_steps: 10, eval_steps: 2, save_steps: 2, save_total_limit: null, learning_rate: 0.01 },
    metric_for_best_model: 'rougeL',
  },
} satisfies TinyRunOptions;

/** @param from the step after which the process evaluates for the first time */
const run = (changes: Partial<TinyRunOptions> = {}, from = 0) =>
  tinyRun({
    ...options,
    ...changes,
    answerMetrics: evaluation => ({ rougeL: SCORES[from + 2 * (evaluation + (from > 0 ? 1 : 0))] ?? 0 }),
  });

let home: string;
let whole: Awaited<ReturnType<typeof tinyRun>>;
let stopped: RunFolder;

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  home = mkdtempSync(join(tmpdir(), 'tunewright-damage-'));
  whole = await run();
  const stop = new AbortController();
  const first = await run({
    signal: stop.signal,
    onEvent: event => event.type === 'checkpoint_saved' && event.step === 8 && stop.abort(),
  });
  stopped = first.folder;
  expect(stopped.checkpointSteps()).toEqual([2, 4, 6, 8]);
}, 60_000);
afterAll(() => rmSync(home, { recursive: true }));

/** A copy of the run that was stopped after step 8. */
function copy(): RunFolder {
  const path = mkdtempSync(join(home, 'run-'));
  cpSync(stopped.path, path, { recursive: true });
  return RunFolder.reopen(path);
}

/** Changes one bit. @param at share of the file */
const flip = (path: string, at: number) => {
  const bytes = readFileSync(path);
  bytes[Math.floor(at * bytes.length)]! ^= 4;
  writeFileSync(path, bytes);
};

const PARTS = ['trainable.safetensors', 'optimizer.safetensors', 'state.json', 'manifest.json'];

const DAMAGES: Record<string, (file: string) => void> = {
  'is missing': file => rmSync(file),
  'is empty': file => truncateSync(file),
  'ends early': file => truncateSync(file, readFileSync(file).length - 2),
  'has one other bit': file => flip(file, 0.7),
  'has other bytes at its end': file => writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(8)])),
  'is full of zeros': file => writeFileSync(file, Buffer.alloc(readFileSync(file).length)),
  'is a folder': file => {
    rmSync(file);
    cpSync(stopped.checkpoint(2), file, { recursive: true });
  },
  'is that of another checkpoint': file => cpSync(file.replace('step-8', 'step-6'), file),
};

function trainedAt(folder: RunFolder, step: number): Map<string, Float32Array> {
  const file = openSafetensors(join(folder.checkpoint(step), 'trainable.safetensors'));
  try {
    return new Map([...file.tensors].map(([key, tensor]) => [key, tensor.readFloat32()]));
  } finally {
    file.close();
  }
}

const warnings = ({ events }: Awaited<ReturnType<typeof tinyRun>>) => eventsOf(events, 'warned');
const finite = ({ trained }: Awaited<ReturnType<typeof tinyRun>>) =>
  [...trained.values()].every(values => values.every(Number.isFinite));

describe('of the latest checkpoint, a file', () => {
  const cases = PARTS.flatMap(part => Object.keys(DAMAGES).map(kind => [part, kind] as const));
  it.each(cases)('%s that %s is named, and the run goes on from the checkpoint before', async (part, kind) => {
    const folder = copy();
    DAMAGES[kind]!(join(folder.checkpoint(8), part));
    expect(lastGoodCheckpoint(folder)).toBe(6);
    const rest = await run({ folder, resume: true }, 6);
    expect(rest.resumedFrom).toBe(6);
    const { code, message } = warnings(rest)[0]!;
    expect(code).toBe('checkpoint_damaged');
    expect(message).toContain('checkpoints/step-8 is damaged');
    expect(message).toContain('the run goes on from step 6');
    expect(message).not.toMatch(/download|learning_rate/);
    expect(rest.trained).toEqual(whole.trained);
    expect(rest.outcome!.state.best_step).toBe(4);
    // It was made again, and is good now.
    expect(inspectCheckpoint(folder.checkpoint(8))).toHaveProperty('state');
    expect(existsSync(`${folder.checkpoint(8)}.unused`)).toBe(false);
  });
});

describe('the best checkpoint', () => {
  const spoil = (folder: RunFolder, step = 4) => flip(join(folder.checkpoint(step), 'trainable.safetensors'), 0.9);

  it('is made again from the one before it if it was damaged while the run was stopped', async () => {
    const folder = copy();
    spoil(folder);
    const rest = await run({ folder, resume: true }, 2);
    expect(rest.resumedFrom).toBe(2);
    expect(warnings(rest).map(({ code }) => code)).toEqual(['checkpoint_damaged']);
    expect(rest.trained).toEqual(whole.trained);
  });

  it('is made again if it was deleted', async () => {
    const folder = copy();
    rmSync(folder.checkpoint(4), { recursive: true });
    const rest = await run({ folder, resume: true }, 2);
    expect(rest.resumedFrom).toBe(2);
    expect(warnings(rest)).toMatchObject([{ code: 'checkpoint_missing', message: expect.stringContaining('step-4') }]);
    expect(rest.trained).toEqual(whole.trained);
  });

  it('that can’t be made again is replaced at the end by the best of those that are intact', async () => {
    const folder = copy();
    spoil(folder);
    rmSync(folder.checkpoint(2), { recursive: true });
    const rest = await run({ folder, resume: true }, 8);
    expect(rest.resumedFrom).toBe(8);
    expect(warnings(rest).map(({ code }) => code)).toEqual(['checkpoint_damaged', 'checkpoint_damaged']);
    expect(warnings(rest)[1]!.message).toContain('the result is that of step 8');
    expect(rest.outcome!.state).toMatchObject({ best_step: 8, best_metric: 0.7 });
    expect(finite(rest)).toBe(true);
  });

  it.each(['trainable.safetensors', 'state.json', 'optimizer.safetensors'])(
    'that was damaged under the run in %s is not the result; the next best is',
    async part => {
      const folder = RunFolder.create(mkdtempSync(join(home, 'run-')));
      const rest = await run({
        folder,
        onEvent: event => {
          if (event.type === 'checkpoint_saved' && event.step === 10) flip(join(folder.checkpoint(4), part), 0.5);
        },
      });
      expect(rest.error).toBeNull();
      expect(rest.outcome!.state).toMatchObject({ best_step: 8, best_metric: 0.7 });
      expect(rest.trained).toEqual(trainedAt(stopped, 8));
      expect(warnings(rest)).toMatchObject([
        {
          code: 'checkpoint_damaged',
          message: expect.stringMatching(/step-4, the best one.*result is that of step 8/s),
        },
      ]);
    },
  );
});

describe('without an intact checkpoint', () => {
  it('the run isn’t begun, and the error names the first fault', async () => {
    const folder = copy();
    for (const step of folder.checkpointSteps()) flip(join(folder.checkpoint(step), 'optimizer.safetensors'), 0.5);
    const began: string[] = [];
    const error = await inputErrorOf(() => run({ folder, resume: true, onEvent: ({ type }) => began.push(type) }));
    expect(error.code).toBe('checkpoint_damaged');
    expect(error.message).toContain(join(folder.checkpoint(8), 'optimizer.safetensors'));
    expect(`${error.message} ${error.hint}`).not.toMatch(/download|learning_rate/);
    expect(began).toEqual([]);
    expect(lastGoodCheckpoint(folder)).toBeNull();
  });
});

describe.each(['trainable.safetensors', 'optimizer.safetensors'])('%s that its manifest agrees with', name => {
  it.each<[string, (path: string) => void, string]>([
    ['is no safetensors file', path => writeFileSync(path, 'x'.repeat(100)), 'header'],
    [
      'has non-finite values',
      path => {
        const bytes = readFileSync(path);
        bytes.fill(0xff, bytes.length - 4);
        writeFileSync(path, bytes);
      },
      'non-finite values',
    ],
  ])('%s is damaged all the same', async (_, damage, message) => {
    const folder = copy();
    const checkpoint = folder.checkpoint(8);
    damage(join(checkpoint, name));
    writeManifest(checkpoint, ['trainable.safetensors', 'optimizer.safetensors', 'state.json']);
    expect(inspectCheckpoint(checkpoint)).toEqual({ damage: expect.stringContaining(message) });
    expect(lastGoodCheckpoint(folder)).toBe(6);
  });
});

it('only the latest checkpoint and the best one are read, however many there are', async () => {
  const folder = copy();
  flip(join(folder.checkpoint(2), 'trainable.safetensors'), 0.5);
  flip(join(folder.checkpoint(6), 'trainable.safetensors'), 0.5);
  const rest = await run({ folder, resume: true }, 8);
  expect(rest.resumedFrom).toBe(8);
  expect(warnings(rest)).toEqual([]);
  expect(rest.trained).toEqual(whole.trained);
});

it('a checkpoint in the folder of another step is damaged', async () => {
  const folder = copy();
  renameSync(folder.checkpoint(8), folder.checkpoint(9));
  expect(inspectCheckpoint(folder.checkpoint(9))).toEqual({
    damage: expect.stringContaining('this is the state of step 8, not of step 9'),
  });
  const rest = await run({ folder, resume: true }, 6);
  expect(rest.resumedFrom).toBe(6);
  expect(rest.trained).toEqual(whole.trained);
});

it('those after the one that is used are set aside and don’t count as the latest', async () => {
  const folder = copy();
  flip(join(folder.checkpoint(8), 'trainable.safetensors'), 0.5);
  const stop = new AbortController();
  const training = { ...options.training, save_steps: 1, save_total_limit: 1 };
  await run(
    {
      ...{ folder, training, resume: true, signal: stop.signal },
      onEvent: event => event.type === 'checkpoint_saved' && event.step === 7 && stop.abort(),
    },
    6,
  );
  expect(folder.checkpointSteps()).toEqual([4, 7]);
  expect(existsSync(`${folder.checkpoint(8)}.unused`)).toBe(true);
});

describe('a checkpoint of an earlier version, which has no checksums', () => {
  const asVersion1 = (folder: RunFolder, step: number, changes: object = {}) => {
    const file = join(folder.checkpoint(step), 'state.json');
    const {
      inputs: _inputs,
      run: _run,
      evaluated: _evaluated,
      ...state
    } = readCheckpointState(folder.checkpoint(step));
    writeFileSync(file, JSON.stringify({ ...state, version: 1, ...changes }));
    rmSync(join(folder.checkpoint(step), 'manifest.json'));
  };

  it('is used', async () => {
    const folder = copy();
    for (const step of folder.checkpointSteps()) asVersion1(folder, step);
    const rest = await run({ folder, resume: true }, 8);
    expect(rest.resumedFrom).toBe(8);
    expect(warnings(rest)).toEqual([]);
    expect(rest.trained).toEqual(whole.trained);
  });

  it.each([
    ['a loss below 0', { best_loss: -1 }],
    ['a best step that is yet to come', { best_step: 12 }],
    ['a step below 0', { step: -8 }],
    ['another step', { step: 7 }],
  ])('is passed over with %s', async (_, changes) => {
    const folder = copy();
    asVersion1(folder, 8, changes);
    expect(inspectCheckpoint(folder.checkpoint(8))).toHaveProperty('damage');
  });

  it('is passed over with non-finite values', async () => {
    const folder = copy();
    asVersion1(folder, 8);
    const path = join(folder.checkpoint(8), 'trainable.safetensors');
    const tensors = [...trainedAt(folder, 8)];
    writeSafetensors(
      path,
      tensors.map(([name, values], i) => {
        if (i === 0) values[1] = NaN;
        return { name, shape: [values.length], dtype: 'F32' as const, data: () => values };
      }),
    );
    expect(inspectCheckpoint(folder.checkpoint(8))).toEqual({ damage: expect.stringContaining('non-finite values') });
  });
});
