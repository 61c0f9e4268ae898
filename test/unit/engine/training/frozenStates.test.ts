// The output of frozen layers is computed once per row: the run gives the same results as without it, resumes bit for
// bit, in memory and on disk.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { HiddenStateStore } from '../../../../extension/src/engine/training/hiddenStateStore.js';
import { eventsOf, randomRows, tinyRun, type TinyRunOptions, type TinyRunResult } from '../../../support/tinyRun.js';

const open = HiddenStateStore.open.bind(HiddenStateStore);
const TRAINING = { num_train_epochs: 3, per_device_train_batch_size: 2, learning_rate: 1e-2, save_steps: 2 };
const UPPER_LAYER: TinyRunOptions = {
  method: { peft_type: 'SELECTIVE', select: 'last_layers', num_layers: 1 },
  training: TRAINING,
  train: randomRows(14),
};
const losses = ({ events }: TinyRunResult) => eventsOf(events, 'step').map(({ loss }) => loss);
const kept = ({ events }: TinyRunResult) => eventsOf(events, 'frozen_layers_kept');

function storesOn(changed: Partial<Parameters<typeof open>[0]>) {
  return vi.spyOn(HiddenStateStore, 'open').mockImplementation(options => open({ ...options, ...changed }));
}

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});
afterEach(() => vi.restoreAllMocks());

describe.each([
  { name: 'captured', compile: true },
  { name: 'eager', compile: false },
])('$name', ({ compile }) => {
  test.each([
    ['the last layer', UPPER_LAYER.method!],
    ['LoRA on the last layer, with dropout', { peft_type: 'LORA', layers_to_transform: [1], lora_dropout: 0.2 }],
  ])('%s: the same losses as without it', async (_name, method) => {
    const options = { ...UPPER_LAYER, method, compile };
    const used = await tinyRun(options);
    expect(used.error).toBeNull();
    expect(kept(used)).toMatchObject([{ layers: 1, on_disk: false }]);
    vi.spyOn(HiddenStateStore, 'open').mockReturnValue(null);
    const plain = await tinyRun(options);
    expect(kept(plain)).toEqual([]);
    losses(plain).forEach((loss, i) => expect(losses(used)[i]! / loss, `loss of step ${i + 1}`).toBeCloseTo(1, 5));
  });

  test('the same losses with checkpointing, accumulation and rows in order', async () => {
    const changed = { ...TRAINING, shuffle: false, gradient_accumulation_steps: 2, gradient_checkpointing: true };
    const used = await tinyRun({ ...UPPER_LAYER, compile, training: changed });
    vi.spyOn(HiddenStateStore, 'open').mockReturnValue(null);
    const plain = await tinyRun({ ...UPPER_LAYER, compile, training: { ...changed, gradient_checkpointing: false } });
    losses(plain).forEach((loss, i) => expect(losses(used)[i]! / loss, `loss of step ${i + 1}`).toBeCloseTo(1, 5));
  });

  test('a stopped and resumed run equals an uninterrupted one, bit for bit', async () => {
    const uninterrupted = await tinyRun({ ...UPPER_LAYER, compile });
    const controller = new AbortController();
    const onEvent = (event: { type: string; step?: number }) => event.step === 5 && controller.abort();
    const { folder } = await tinyRun({ ...UPPER_LAYER, compile, onEvent, signal: controller.signal });
    const resumed = await tinyRun({ ...UPPER_LAYER, compile, folder, resume: true });
    expect(resumed.resumedFrom).toBe(5);
    expect(losses(resumed)).toEqual(losses(uninterrupted).slice(5));
    expect(resumed.trained).toEqual(uninterrupted.trained);
  });
});

test('gives the same on disk, and leaves no file', async () => {
  const before = tf.memory().numTensors;
  const inMemory = await tinyRun(UPPER_LAYER);
  storesOn({ memoryBytes: 0 });
  const onDisk = await tinyRun(UPPER_LAYER);
  expect(kept(onDisk)).toMatchObject([{ on_disk: true, bytes: kept(inMemory)[0]!.bytes }]);
  expect(losses(onDisk)).toEqual(losses(inMemory));
  expect(existsSync(join(onDisk.folder.path, 'frozen-states.bin'))).toBe(false);
  expect(tf.memory().numTensors).toBe(before);
});

test('is given up with a warning if the disk fills up, and the run continues', async () => {
  const plain = await tinyRun(UPPER_LAYER);
  storesOn({ memoryBytes: 0 });
  let puts = 0;
  const put = HiddenStateStore.prototype.put;
  vi.spyOn(HiddenStateStore.prototype, 'put').mockImplementation(function (this: HiddenStateStore, row, states) {
    if (++puts > 4) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { syscall: 'write' });
    put.call(this, row, states);
  });
  const full = await tinyRun(UPPER_LAYER);
  expect(eventsOf(full.events, 'warned')).toMatchObject([{ code: 'frozen_layers_not_kept' }]);
  expect(eventsOf(full.events, 'warned')[0]!.message).toContain('no space left');
  losses(plain).forEach((loss, i) => expect(losses(full)[i]! / loss).toBeCloseTo(1, 5));
});

test.each<[string, TinyRunOptions]>([
  ['a single epoch', { ...UPPER_LAYER, training: { ...TRAINING, num_train_epochs: 1 } }],
  ['LoRA on every layer', { ...UPPER_LAYER, method: { peft_type: 'LORA' } }],
  ['virtual tokens', { ...UPPER_LAYER, method: { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 3 } }],
  ['a prefix', { ...UPPER_LAYER, method: { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 3 } }],
])('is not used where it gains nothing: %s', async (_name, options) => {
  expect(kept(await tinyRun(options))).toEqual([]);
});

test('a store is opened only if there is room', () => {
  const options = { rows: [0, 1, 2], lengthOf: (row: number) => row + 1, width: 8, file: '/nowhere/states.bin' };
  expect(open({ ...options, diskBytes: 0 })).toMatchObject({ bytes: 6 * 8 * 4, onDisk: false });
  expect(open({ ...options, memoryBytes: 191, diskBytes: 383 })).toBeNull();
  expect(open({ ...options, memoryBytes: 191, diskBytes: 1e9 }), 'a file that can’t be created').toBeNull();
});
