// Runs on WebGPU through the real command line, with dropout: killed or stopped and resumed, a run ends with the bits of an
// undisturbed one, and its losses are those of TensorFlow.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { expectRefusal, succeed, tunewright, workplace } from '../../support/cli.js';
import { useSoftwareGpu } from '../../support/softwareGpu.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
useSoftwareGpu();

const place = workplace();
afterAll(() => place.remove());

const RESULT = 'adapter/adapter_model.safetensors';
const changes = (backend: string) => ({
  method: { lora_dropout: 0.3 },
  training: { max_steps: 6, save_steps: 2 },
  engine: { backend },
});
/** Of each step, as it was computed last. */
const figures = (name: string) => {
  const steps = place.events(name).flatMap(event => (event.type === 'step' ? [event] : []));
  return new Map(steps.map(({ step, loss, grad_norm: norm }) => [step, { loss, norm }]));
};
let file: string;

beforeAll(async () => {
  file = place.run('run', changes('webgpu'));
  await succeed(['train', file, '--out', place.file('whole')]);
});

it('killed, resumed, stopped and resumed again, it ends with the bits of an undisturbed run', async () => {
  const out = place.file('disturbed');
  const until = (step: number, signal: NodeJS.Signals, ...more: string[]) =>
    tunewright(['train', file, '--out', out, '--json', ...more], {
      onLine: (line, child) => line.includes(`"type":"step","step":${step},`) && child.kill(signal),
    });
  // A step after the checkpoint, which is computed again.
  expect((await until(3, 'SIGKILL')).signal).toBe('SIGKILL');
  await until(4, 'SIGINT', '--resume');
  await succeed(['train', file, '--resume', '--out', out]);
  const computed = place.events('disturbed').flatMap(event => (event.type === 'step' ? [event.step] : []));
  expect(computed).toEqual([1, 2, 3, 3, 4, 5, 6]);
  expect(figures('disturbed')).toEqual(figures('whole'));
  const [ours, theirs] = ['disturbed', 'whole'].map(name => readFileSync(place.file(name, RESULT)));
  expect(ours!.equals(theirs!)).toBe(true);
});

it('has the losses of the same run on TensorFlow, with the same values dropped', async () => {
  await succeed(['train', place.run('cpu', changes('tensorflow')), '--out', place.file('on-cpu')]);
  const actual = figures('whole');
  expect(actual.size).toBe(6);
  for (const [step, { loss, norm }] of figures('on-cpu')) {
    expect(Math.abs(actual.get(step)!.loss / loss - 1), `loss of step ${step}`).toBeLessThan(1e-5);
    expect(Math.abs(actual.get(step)!.norm / norm - 1), `gradient norm of step ${step}`).toBeLessThan(1e-4);
  }
});

it('is refused where there is no such GPU, with the place of its name and the GPUs that there are', async () => {
  const train = (engine: object) =>
    tunewright(['train', place.run('no-gpu', { engine }), '--out', place.file('never')]);
  const listed = /There are: 0: \S.* \(\w+\)/;
  const at = `${place.file('no-gpu.json')}: engine.adapter: `;
  expectRefusal(await train({ backend: 'webgpu', adapter: 'Voodoo' }), `${at}no GPU "Voodoo".`, listed);
  expectRefusal(await train({ adapter: 99 }), `${at}no GPU 99.`, listed);
  const other = { backend: 'tensorflow', adapter: 0 };
  expectRefusal(await train(other), `${at}only webgpu has adapters, not tensorflow.`, 'Leave it out');
  for (const adapter of ['Voodoo', '99'])
    expectRefusal(await tunewright(['engine', 'bench', '--gpu-adapter', adapter]), 'engine.adapter: no GPU', listed);
});
