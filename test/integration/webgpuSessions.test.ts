// Conversations on WebGPU, with a tiny model and a LoRA adapter: the answers of the CPU, follow-ups from kept keys and values,
// as the playground asks (a session) and as clients do (a server); after the device was lost, the next request opens it again.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openBackend } from '../../extension/src/engine/backend/openBackend.js';
import { openLastingSession } from '../../extension/src/engine/run/lastingSession.js';
import { startServer } from '../../extension/src/engine/serve/server.js';
import { webgpuBackend } from '../../extension/src/engine/webgpu/tfjsWebgpu.js';
import { sessionOptionsSchema } from '../../extension/src/protocol/sessionMessages.js';
import { succeed, workplace } from '../support/cli.js';
import { useSoftwareGpu } from '../support/softwareGpu.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
useSoftwareGpu();

const place = workplace();
afterAll(() => place.remove());
let adapter: string;

beforeAll(async () => {
  const run = place.run('tuned', {
    method: { r: 4 },
    training: { max_steps: 8, learning_rate: 0.1 },
    engine: { backend: 'tensorflow' },
  });
  await succeed(['train', run, '--out', place.file('tuned')]);
  adapter = place.file('tuned', 'adapter');
});

const PROMPT = 'Say ababab';
const sampling = { max_new_tokens: 6 };
const ofBase = { prompt: PROMPT, adapters: [], sampling };
const ofAdapter = { prompt: PROMPT, adapters: [{ name: 'A' }], sampling };

async function opened(backend: 'tensorflow' | 'webgpu') {
  const warnings: string[] = [];
  const settings = { ...sessionOptionsSchema.parse({ model: 'base', folder: place.path }), backend };
  const reporter = { progress: () => {}, warn: (code: string) => void warnings.push(code) };
  return { session: await openLastingSession(settings, [{ name: 'A', path: adapter }], reporter), warnings };
}

type Opened = Awaited<ReturnType<typeof opened>>['session'];

/** The base's and the adapter's answer, and the adapter's to a follow-up. */
async function conversation(session: Opened) {
  const base = await session.generate(ofBase);
  const tuned = await session.generate(ofAdapter);
  const next = await session.generate({ ...ofAdapter, prompt: `${PROMPT}${tuned.text} cd` });
  return [base, tuned, next].map(({ text, usage }) => ({ text, ...usage }));
}

let expected: Awaited<ReturnType<typeof conversation>>;

beforeAll(async () => {
  const { session } = await opened('tensorflow');
  expected = await conversation(session);
  session.dispose();
  expect(expected[0]!.text).not.toBe(expected[1]!.text);
  expect(expected[2]!.cached_tokens).toBeGreaterThan(8);
});

it('a session answers as on the CPU, also after the device was lost', async () => {
  await openBackend({ backend: 'webgpu', threads: null, onWarning: () => {} });
  const before = tf.memory().numTensors;
  const { session, warnings } = await opened('webgpu');
  expect(await conversation(session)).toEqual(expected);

  webgpuBackend().device.destroy();
  // Both are under way when it is noticed.
  const lost = await Promise.allSettled([session.generate(ofAdapter), session.generate(ofBase)]);
  for (const outcome of lost)
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'device_lost', message: expect.stringContaining('was lost') },
    });
  expect(warnings).toEqual([]);
  const answers = await Promise.all([session.generate(ofAdapter), session.generate(ofBase)]);
  expect(answers.map(({ text }) => text)).toEqual([expected[1]!.text, expected[0]!.text]);
  expect(warnings).toEqual(['gpu_reopened']);
  session.dispose();
  expect(tf.memory().numTensors - before, 'tensors beside those of the answers that failed').toBeLessThan(100);
});

it('a server answers as on the CPU, also after the device was lost', async () => {
  const { session } = await opened('webgpu');
  const fault = (error: unknown) => expect.unreachable(String(error));
  const server = await startServer(session, { host: '127.0.0.1', port: 0, onFault: fault });
  const textOf = async (model: string) => {
    const body = JSON.stringify({ model, prompt: PROMPT, temperature: 0, max_tokens: sampling.max_new_tokens });
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${server.url}/v1/completions`, { method: 'POST', headers, body });
    return ((await response.json()) as any).choices[0].text as string;
  };
  expect([await textOf('base'), await textOf('A')]).toEqual([expected[0]!.text, expected[1]!.text]);
  webgpuBackend().device.destroy();
  // It is noticed before the next request.
  expect(await textOf('A')).toBe(expected[1]!.text);
  await server.end();
  session.dispose();
});
