// Whole runs on WebGPU, compared with TensorFlow's: what lies between a batch and an update (packing, accumulation, gradient
// checkpointing, kept states of frozen layers), eager and as recorded commands, with evaluations.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { useSoftwareGpu } from '../support/softwareGpu.js';
import { eventsOf, randomRows, tinyRun, type TinyRunOptions } from '../support/tinyRun.js';

useSoftwareGpu();

/** As in test/parity/parityWebgpu.test.ts; relative, and of tensors the mean difference. */
const TOLERANCE = { loss: 1e-5, gradNorm: 1e-4, tensors: 1e-4 };
/** Two epochs. */
const STEPS = 4;

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  await openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} });
});

const cases: (Pick<TinyRunOptions, 'packing' | 'compile' | 'method'> & { training: object })[] = [
  { packing: true, compile: true, training: {} },
  { packing: false, compile: true, training: {} },
  { packing: true, compile: true, training: { gradient_accumulation_steps: 3, per_device_train_batch_size: 1 } },
  { packing: false, compile: true, training: { gradient_accumulation_steps: 2 } },
  { packing: true, compile: true, training: { gradient_checkpointing: true } },
  { packing: true, compile: false, training: { gradient_checkpointing: true, gradient_accumulation_steps: 2 } },
  {
    packing: true,
    compile: true,
    training: { gradient_checkpointing: true, gradient_accumulation_steps: 2, max_grad_norm: 0.01 },
    method: { peft_type: 'LORA', use_dora: true },
  },
  // The first layer is frozen and its output kept.
  { packing: true, compile: true, training: {}, method: { peft_type: 'LORA', layers_to_transform: [1] } },
];

test.each(cases)('packing $packing, captured $compile, $method $training', async tested => {
  const runOn = async (backend: string) => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const { error, events, trained } = await tinyRun({
      ...tested,
      training: { per_device_train_batch_size: 2, max_steps: STEPS, eval_steps: STEPS, ...tested.training },
      train: randomRows(8),
      validation: randomRows(3, 2),
    });
    expect(error).toBeNull();
    expect(eventsOf(events, 'warned')).toEqual([]);
    expect(tf.memory().numTensors, 'leaked tensors').toBe(before);
    return { steps: eventsOf(events, 'step'), evaluations: eventsOf(events, 'evaluated'), trained };
  };
  const expected = await runOn('tensorflow');
  const actual = await runOn('webgpu');
  expect(actual.steps.length).toBe(STEPS);
  for (const [i, { loss, grad_norm: norm }] of expected.steps.entries()) {
    expect(Math.abs(actual.steps[i]!.loss / loss - 1), `loss of step ${i + 1}`).toBeLessThan(TOLERANCE.loss);
    expect(Math.abs(actual.steps[i]!.grad_norm / norm - 1), `norm of step ${i + 1}`).toBeLessThan(TOLERANCE.gradNorm);
  }
  expect(actual.evaluations.length).toBe(2);
  for (const [i, { loss }] of expected.evaluations.entries())
    expect(Math.abs(actual.evaluations[i]!.loss / loss - 1), `evaluation ${i}`).toBeLessThan(TOLERANCE.loss);
  for (const [key, values] of expected.trained) {
    const size = values.reduce((sum, value) => sum + Math.abs(value), 0);
    const off = values.reduce((sum, value, i) => sum + Math.abs(value - actual.trained.get(key)![i]!), 0);
    expect(off / size, key).toBeLessThan(TOLERANCE.tensors);
  }
});
