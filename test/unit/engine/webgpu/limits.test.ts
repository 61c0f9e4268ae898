// What a GPU's limits don't allow ends in a message with part, size and limit, before memory for it is taken, and never in zeros.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { QuantizedWeight } from '../../../../extension/src/engine/models/quantizedWeight.js';
import { prepareRun } from '../../../../extension/src/engine/run/prepareRun.js';
import { silentReporter } from '../../../../extension/src/engine/run/reporter.js';
import { openSession } from '../../../../extension/src/engine/run/openSession.js';
import { summedLoss } from '../../../../extension/src/engine/training/crossEntropy.js';
import type { GpuMemory } from '../../../../extension/src/engine/webgpu/gpuMemory.js';
import { dispatch, output } from '../../../../extension/src/engine/webgpu/shader.js';
import { webgpuBackend, type WebgpuBackend } from '../../../../extension/src/engine/webgpu/tfjsWebgpu.js';
import { sessionOptionsSchema } from '../../../../extension/src/protocol/sessionMessages.js';
import { workplace } from '../../../support/cli.js';
import { useSoftwareGpu } from '../../../support/softwareGpu.js';
import { tinyModel } from '../../../support/tinyModels.js';

useSoftwareGpu();
const place = workplace();
afterAll(() => place.remove());

let backend: WebgpuBackend;
let memory: GpuMemory;
beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
  await openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} });
  backend = webgpuBackend();
  memory = backend.bufferManager as GpuMemory;
});
afterEach(() => void vi.restoreAllMocks());

/** A device whose buffers are this small. */
function limitTo(bytes: number): void {
  vi.spyOn(memory, 'largestBytes', 'get').mockReturnValue(bytes);
}

/** Nothing is allocated by what is refused, and the device goes on. */
async function expectRefused(f: () => unknown, ...parts: (string | RegExp)[]): Promise<void> {
  const before = memory.numBytesAllocated;
  const error: Error = await Promise.resolve()
    .then(f)
    .then(
      () => expect.unreachable('nothing was refused'),
      (thrown: Error) => thrown,
    );
  expect(error).toMatchObject({ code: expect.stringMatching(/^(out_of_memory|internal)$/) });
  for (const part of parts) expect(error.message).toMatch(part);
  expect(memory.numBytesAllocated - before, 'bytes').toBeLessThan(4096);
  const sum = tf.tidy(() => tf.add(tf.scalar(1), tf.scalar(2)));
  expect([...(await sum.data())]).toEqual([3]);
  sum.dispose();
}

describe('of tensors', () => {
  it('a product whose result is larger than a buffer', async () => {
    limitTo(4 * 1000);
    const [a, b] = [tf.ones([40, 1]), tf.ones([1, 40])];
    await expectRefused(() => tf.matMul(a, b), /a tensor of 6,400 bytes is larger than the GPU .* allows \(4,000\)/);
    tf.dispose([a, b]);
  });

  it('the real limit of this device', async () => {
    const side = Math.ceil(Math.sqrt(memory.largestBytes / 4)) + 1;
    const [a, b] = [tf.ones([side, 1]), tf.ones([1, side])];
    await expectRefused(() => tf.matMul(a, b), /is larger than the GPU .* allows/);
    tf.dispose([a, b]);
  });

  it('values from the program', async () => {
    limitTo(4 * 1000);
    const values = tf.tensor1d(new Float32Array(1001));
    await expectRefused(() => tf.neg(values), /4,004 bytes .* \(4,000\)/);
    values.dispose();
  });
});

describe('of shaders', () => {
  const shader = { key: 'Refused', code: () => expect.unreachable() };

  it('more workgroups than a dimension may have', async () => {
    const most = backend.device.limits.maxComputeWorkgroupsPerDimension;
    for (const workgroups of [[most + 1], [1, most + 1], [1, 1, most + 1]] as [number, number, number][])
      await expectRefused(
        () => dispatch(shader, { outputs: [output([1])], inputs: [], workgroups }),
        new RegExp(`Refused needs ${most + 1} workgroups, more than the ${most}`),
      );
  });

  it('more workgroups in one of tfjs, too', async () => {
    const most = backend.device.limits.maxComputeWorkgroupsPerDimension;
    const program = { outputShape: [1], dispatchLayout: { x: [0], y: [0] }, dispatch: [1, most + 1, 1] };
    await expectRefused(() => backend.runWebGPUProgram(program, [], 'float32'), /too large for this GPU/);
  });

  it('more buffers than a shader may bind; sums and joined tensors of any number are computed in parts', async () => {
    const most = backend.device.limits.maxStorageBuffersPerShaderStage;
    const many = Array.from({ length: most + 3 }, (_, i) => tf.fill([2, 1], i));
    await expectRefused(
      () => dispatch(shader, { outputs: [output([1])], inputs: many, workgroups: [1] }),
      new RegExp(`Refused needs ${most + 4} buffers, more than the ${most}`),
    );
    const results = tf.tidy(() => [tf.addN(many), tf.concat(many, 1), tf.concat(many, 0), tf.stack(many)]);
    const values = await Promise.all(results.map(result => result.data()));
    const each = many.map((_, i) => i);
    const sum = each.reduce((total, i) => total + i, 0);
    const twice = each.flatMap(i => [i, i]);
    expect(values.map(value => [...value])).toEqual([[sum, sum], [...each, ...each], twice, twice]);
    tf.dispose([...results, ...many]);
  });
});

describe('of models', () => {
  const prepare = (name: string, changes: object) =>
    prepareRun({
      runFile: place.run(name, { engine: { backend: 'webgpu' }, ...changes }),
      ...{ out: place.file('never'), resume: false, force: false, reporter: silentReporter },
      signal: new AbortController().signal,
    });

  it('a base whose blocks are too large is refused by a run and by a session', async () => {
    limitTo(4000);
    const engine = { backend: 'webgpu', base_weights: 'int8' };
    const refused = [
      /^\S+\.weight of the base \(int8\) takes [\d.]+ kB, but in one buffer, the (software )?GPU \(.*\) allows 4 kB$/,
    ];
    await expectRefused(() => prepare('blocks', { engine }), ...refused);
    const settings = sessionOptionsSchema.parse({ model: 'base', folder: place.path });
    await expectRefused(
      () => openSession({ ...settings, backend: 'webgpu', base_weights: 'int8' }, [], silentReporter),
      ...refused,
    );
  });

  it('a method with too large a tensor is refused, and the base alone is held in parts', async () => {
    limitTo(2048);
    const method = { peft_type: 'LORA', modules_to_save: ['lm_head'] };
    await expectRefused(() => prepare('head', { method }), /lm_head.*, which the method holds, takes .* allows 2/);
    const prepared = await prepare('small', { method: { peft_type: 'LORA', r: 2 } });
    prepared.dispose();
  });
});

describe('of heads', () => {
  /** Loss and gradient of more rows than those for which a quantized head is read in pieces. */
  async function lossOf(model: ReturnType<typeof tinyModel>): Promise<Float32Array[]> {
    const rows = 2100;
    const { hiddenSize, vocabSize } = model.architecture;
    const rng = createRng('rows');
    const hidden = tf.tensor2d(
      Float32Array.from({ length: rows * hiddenSize }, () => rng.normal()),
      [rows, hiddenSize],
    );
    const labels = tf.tidy(() => ({
      rows: tf.range(0, rows, 1, 'int32'),
      targets: tf.tensor1d(
        Int32Array.from({ length: rows }, () => rng.int(vocabSize)),
        'int32',
      ),
      weights: tf.fill([rows], 1 / rows) as tf.Tensor1D,
    }));
    const { value, grad } = tf.valueAndGrad(x => summedLoss(model, x as tf.Tensor2D, labels, {}))(hidden);
    const values = [new Float32Array(await value.data()), new Float32Array(await grad.data())];
    tf.dispose([value, grad, hidden, labels]);
    return values;
  }

  async function expectEqual(actual: Float32Array[], expected: Float32Array[]): Promise<void> {
    for (const [i, values] of expected.entries()) {
      const scale = Math.max(...values.map(Math.abs));
      const off = values.reduce((most, value, j) => Math.max(most, Math.abs(value - actual[i]![j]!)), 0);
      expect(off / scale, `result ${i}`).toBeLessThan(1e-5);
    }
  }

  it('in blocks, with 2100 rows: dense, and where the dense copy would be too large, as it is', async () => {
    const opened = () => tinyModel('llama', {}, 1, { base_weights: 'int8', precision: 'float32' });
    await tf.setBackend('tensorflow');
    const reference = opened();
    const expected = await lossOf(reference);
    reference.dispose();
    await tf.setBackend('webgpu');
    const model = opened();
    const dense = vi.spyOn(QuantizedWeight.prototype, 'dense');
    await expectEqual(await lossOf(model), expected);
    expect(dense).toHaveBeenCalledOnce();

    const head = model.weight(`${model.architecture.head}.weight`) as QuantizedWeight;
    const { vocabSize, hiddenSize } = model.architecture;
    limitTo(4 * vocabSize * hiddenSize);
    expect(head.isTooLarge).toBe(false);
    limitTo(4 * vocabSize * hiddenSize - 1);
    expect(head.isTooLarge).toBe(true);
    vi.restoreAllMocks();
    vi.spyOn(QuantizedWeight.prototype, 'isTooLarge', 'get').mockReturnValue(true);
    const never = vi.spyOn(QuantizedWeight.prototype, 'dense');
    await expectEqual(await lossOf(model), expected);
    expect(never).not.toHaveBeenCalled();
    model.dispose();
  });
});
