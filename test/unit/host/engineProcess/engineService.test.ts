// When TensorFlow is installed: once for all that want it at the same time, and again after the user has cancelled.
import { beforeEach, expect, test, vi } from 'vitest';
import { CommandLineEngine } from '../../../../extension/src/host/engineProcess/engineService.js';

const fake = vi.hoisted(() => ({ installation: null as object | null, calls: [] as string[], accepts: true }));
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
    onLine(JSON.stringify({ installation: fake.installation }));
  },
}));
vi.mock('../../../../extension/src/host/engineProcess/installWithProgress.js', () => ({
  installWithProgress: async () => {
    fake.calls.push('install');
    return fake.accepts;
  },
}));
beforeEach(() => void Object.assign(fake, { installation: null, calls: [], accepts: true }));

const newEngine = () => new CommandLineEngine('/extension', { debug: () => {}, error: () => {} } as never);

test('two models that are opened at once install it once', async () => {
  const engine = newEngine();
  expect(await Promise.all([engine.ensureInstalled(), engine.ensureInstalled()])).toEqual([true, true]);
  expect(await engine.ensureInstalled()).toBe(true);
  expect(fake.calls).toEqual(['engine status --json', 'install']);
});

test('it is offered again after the user has cancelled, and not if it is installed already', async () => {
  const engine = newEngine();
  fake.accepts = false;
  expect(await engine.ensureInstalled()).toBe(false);
  fake.installation = {};
  expect(await engine.ensureInstalled()).toBe(true);
  expect(fake.calls).toEqual(['engine status --json', 'install', 'engine status --json']);
});
