// A graph whose parts are compiled by XLA gives the plain graph's result, and falls back to it if XLA refuses.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { openBackend } from '../../../../extension/src/engine/backend/openBackend.js';
import { CompiledFunction } from '../../../../extension/src/engine/capture/compiledFunction.js';
import { realBackend } from '../../../../extension/src/engine/capture/nodeBackend.js';
import { trace } from '../../../../extension/src/engine/capture/tracingBackend.js';
import { inXlaParts } from '../../../../extension/src/engine/capture/xlaParts.js';
import { StepCache, cacheShape } from '../../../../extension/src/engine/generation/cacheTensor.js';
import { predict } from '../../../../extension/src/engine/generation/tokenReader.js';
import { tinyModel } from '../../../support/tinyModels.js';

beforeAll(async () => {
  await openBackend({ backend: 'tensorflow', threads: null, onWarning: () => {} });
});

const SPECS = [{ shape: [1, 3], dtype: 'float32' as const }];
const f = (x: tf.Tensor) => [tf.softmax(tf.mul(x, 2))];
const compiled = (xla: boolean) => CompiledFunction.compile(SPECS, f as (...inputs: tf.Tensor[]) => tf.Tensor[], xla);
const x = () => tf.tensor2d([[1, 2, 3]]);

let restore = () => {};
afterEach(() => restore());

/** Makes TensorFlow fail the next `times` runs of a graph. */
function refuse(times: number): void {
  const backend = realBackend();
  const { binding } = backend;
  const runSavedModel: typeof binding.runSavedModel = (...call) => {
    if (times-- > 0) throw new Error('refused');
    return binding.runSavedModel(...call);
  };
  backend.binding = Object.create(binding, { runSavedModel: { value: runSavedModel } }) as typeof binding;
  restore = () => void (backend.binding = binding);
}

it('is a single call if nothing is updated in place, with the same result', async () => {
  const [plain, parts] = [await compiled(false), await compiled(true)];
  expect(parts.nodes).toBeLessThan(plain.nodes);
  const [expected, actual] = [plain, parts].map(graph => [...graph.run([x()])[0]!.dataSync()]);
  actual!.forEach((value, i) => expect(value).toBeCloseTo(expected![i]!, 6));
});

it('falls back to the plain graph if the first run fails, and only then', async () => {
  const plain = await compiled(false);
  const parts = await compiled(true);
  refuse(1);
  const [y] = parts.run([x()]);
  expect([...y!.dataSync()]).toEqual([...plain.run([x()])[0]!.dataSync()]);
  expect(parts.nodes).toBe(plain.nodes);
  restore();
  refuse(1);
  expect(() => parts.run([x()])).toThrow('refused');
});

it('does not split a graph with an op that XLA is not known to compile', () => {
  expect(inXlaParts(trace(SPECS, (...[x]) => [tf.log(x!)]))).toBeNull();
});

it("equal layers share one function, whatever the model's depth", () => {
  const functions = [4, 6].map(num_hidden_layers => {
    const model = tinyModel('llama', { num_hidden_layers });
    const token = { shape: [1, 1], dtype: 'int32' as const };
    const specs = [token, token, { shape: cacheShape(model.architecture, 8), dtype: 'float32' as const }];
    const traced = trace(specs, (id, position, content) => {
      const cache = new StepCache(model.architecture, 8, content as tf.Tensor2D, tf.reshape(position!, [1]));
      const { logits } = predict(model, id as tf.Tensor2D, position as tf.Tensor2D, { cache });
      return [logits, cache.content];
    });
    model.dispose();
    return inXlaParts(traced)!.graph.functions.length;
  });
  expect(functions[0]).toBe(functions[1]);
});
