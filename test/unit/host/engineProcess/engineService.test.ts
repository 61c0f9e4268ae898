// When TensorFlow is installed: once for all that want it at the same time, and again after the user has cancelled.
import { beforeEach, expect, test, vi } from 'vitest';
import { CommandLineEngine } from '../../../../extension/src/host/engineProcess/engineService.js';

const fake = vi.hoisted(() => ({
  installation: null as object | null,
  webgpu: null as string | null,
  auto: 'wasm',
  calls: [] as string[],
  accepts: true,
}));
vi.mock('vscode', async () => {
  const { FakeEmitter: EventEmitter } = await import('../../../support/fakeEmitter.js');
  return { EventEmitter, CancellationError: class extends Error {}, workspace: {} };
});
vi.mock('../../../../extension/src/host/trustedActions.js', () => ({ requireTrust: () => {} }));
vi.mock('../../../../extension/src/host/walkthrough.js', () => ({ stepDone: () => {} }));
vi.mock('../../../../extension/src/host/engineProcess/engineProgram.js', () => ({
  findEngineProgram: async () => ({}),
}));
vi.mock('../../../../extension/src/host/engineProcess/engineProcess.js', () => ({
  callEngine: async (_program: object, args: string[], _cwd: unknown, onLine: (line: string) => void) => {
    fake.calls.push(args.join(' '));
    const { installation, webgpu, auto } = fake;
    onLine(JSON.stringify({ installation, webgpu: { libraryVersion: webgpu }, backend: { name: auto } }));
  },
}));
vi.mock('../../../../extension/src/host/engineProcess/installWithProgress.js', () => ({
  installWithProgress: async (_engine: object, _output: object, backend: string) => {
    fake.calls.push(`install ${backend}`);
    return fake.accepts;
  },
}));
beforeEach(
  () => void Object.assign(fake, { installation: null, webgpu: null, auto: 'wasm', calls: [], accepts: true }),
);

const AUTO = { backend: 'auto', adapter: null } as const;
const WEBGPU = { backend: 'webgpu', adapter: null } as const;

const newEngine = () => new CommandLineEngine('/extension', { debug: () => {}, error: () => {} } as never);

test('two models that are opened at once install it once', async () => {
  const engine = newEngine();
  expect(await Promise.all([engine.ensureInstalled(AUTO), engine.ensureInstalled(AUTO)])).toEqual([true, true]);
  expect(await engine.ensureInstalled(AUTO)).toBe(true);
  expect(fake.calls).toEqual(['engine status --json', 'install auto']);
});

test('it is offered again after the user has cancelled, and not if it is installed already', async () => {
  const engine = newEngine();
  fake.accepts = false;
  expect(await engine.ensureInstalled(AUTO)).toBe(false);
  fake.installation = {};
  expect(await engine.ensureInstalled(AUTO)).toBe(true);
  expect(fake.calls).toEqual(['engine status --json', 'install auto', 'engine status --json']);
});

test('a run on WebGPU needs WebGPU alone, also if only a GPU is named', async () => {
  fake.installation = {};
  expect(await newEngine().ensureInstalled(WEBGPU)).toBe(true);
  expect(await newEngine().ensureInstalled({ backend: 'auto', adapter: 'NVIDIA' })).toBe(true);
  expect(fake.calls.filter(call => call.startsWith('install'))).toEqual(['install webgpu', 'install webgpu']);
  Object.assign(fake, { installation: null, webgpu: '0.6.2', calls: [] });
  expect(await newEngine().ensureInstalled(WEBGPU)).toBe(true);
  expect(fake.calls).toEqual(['engine status --json']);
});

test('with auto, a GPU is enough where TensorFlow is not installed, and WebGPU without a GPU is not', async () => {
  Object.assign(fake, { webgpu: '0.6.2', auto: 'webgpu' });
  const engine = newEngine();
  expect(await engine.ensureInstalled(AUTO)).toBe(true);
  expect(await engine.ensureInstalled({ backend: 'tensorflow', adapter: null })).toBe(true);
  fake.auto = 'wasm';
  expect(await newEngine().ensureInstalled(AUTO)).toBe(true);
  expect(fake.calls.filter(call => call.startsWith('install'))).toEqual(['install tensorflow', 'install auto']);
});

test('wasm needs nothing', async () => {
  expect(await newEngine().ensureInstalled({ backend: 'wasm', adapter: null })).toBe(true);
  expect(fake.calls).toEqual([]);
});
