// Decoding on WebGPU, with steps as recorded commands and the cache on the device, compared with TensorFlow reading op by op: every
// model family, and the ways in which methods take part in decoding.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../extension/src/engine/data/rng.js';
import { StepGraphs } from '../../extension/src/engine/generation/stepGraphs.js';
import { EagerReader } from '../../extension/src/engine/generation/tokenReader.js';
import { sizeOf } from '../../extension/src/engine/models/architecture.js';
import { modelFamilies } from '../../extension/src/engine/models/registry.js';
import { Adapter } from '../../extension/src/engine/peft/adapter.js';
import { AttachedMethod } from '../../extension/src/engine/peft/attachedMethod.js';
import { peftMethod } from '../../extension/src/engine/peft/registry.js';
import { CapturedReader } from '../support/decoder.js';
import { useSoftwareGpu } from '../support/softwareGpu.js';
import { tinyModel } from '../support/tinyModels.js';

useSoftwareGpu();

const PROMPT = [5, 9, 30, 2];
const TOKENS = [7, 3, 11];
const ROOM = { max_position_embeddings: 512, n_positions: 512 };

const cases = [
  ...modelFamilies.map(({ modelType }) => ({ family: modelType, peftType: null, config: {} })),
  { family: 'llama', peftType: 'LORA', config: {} },
  { family: 'llama', peftType: 'LORA', config: { use_dora: true } },
  { family: 'llama', peftType: 'IA3', config: {} },
  { family: 'llama', peftType: 'PREFIX_TUNING', config: {} },
  { family: 'gpt2', peftType: 'PROMPT_TUNING', config: {} },
];

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  await openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} });
});

function opened({ family, peftType, config }: (typeof cases)[number]) {
  const model = tinyModel(family, ROOM);
  if (peftType === null) return { model, adapter: null };
  const method = peftMethod(peftType)!;
  const rng = createRng(8);
  const attached = new AttachedMethod(method, method.schema.parse(config), model.architecture);
  const adapter = Adapter.attach(attached, model, {
    purpose: 'inference',
    rng,
    values: ({ key, shape }) => {
      const draw = rng.fork(key);
      return Float32Array.from({ length: sizeOf(shape) }, () => 0.5 * draw.normal());
    },
  });
  return { model, adapter };
}

/** Logits after each token. */
async function logitsOf(tested: (typeof cases)[number], captures: boolean): Promise<Float32Array[]> {
  const before = tf.memory().numTensors;
  const { model, adapter } = opened(tested);
  const virtual = adapter?.forwardOptions.hooks.virtualTokens?.count ?? 0;
  const eager = new EagerReader(model, adapter?.forwardOptions ?? {});
  const prompt = [...Array.from({ length: virtual }, (_, i) => model.architecture.vocabSize + i), ...PROMPT];
  tf.dispose({ ...eager.read(prompt) });
  const graphs = new StepGraphs(model, false);
  const captured = captures ? new CapturedReader(graphs, adapter, eager.cache) : null;
  const logits: Float32Array[] = [];
  for (const token of TOKENS) {
    const prediction = captured ? await captured.read(token) : eager.read([token]);
    logits.push(await prediction.logits.data<'float32'>());
    tf.dispose({ ...prediction });
  }
  captured?.dispose();
  eager.dispose();
  graphs.dispose();
  adapter?.dispose();
  model.dispose();
  expect(tf.memory().numTensors, 'leaked tensors').toBe(before);
  return logits;
}

test.each(cases)('$family with $peftType $config', async tested => {
  await tf.setBackend('tensorflow');
  const expected = await logitsOf(tested, false);
  await tf.setBackend('webgpu');
  const actual = await logitsOf(tested, true);
  for (const [i, logits] of expected.entries()) {
    const scale = Math.max(...logits.map(Math.abs));
    const off = Math.max(...logits.map((value, j) => Math.abs(value - actual[i]![j]!))) / scale;
    expect(off, `logits of token ${i}`).toBeLessThan(1e-5);
  }
});
