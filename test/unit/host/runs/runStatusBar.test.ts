import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { initialRunState, reduceRun } from '../../../../extension/src/core/runs/runState.js';
import { runPhase } from '../../../../extension/src/core/runs/runStatus.js';
import { registerRunStatusBar } from '../../../../extension/src/host/runs/runStatusBar.js';
import type { FolderRunService } from '../../../../extension/src/host/runs/runService.js';
import { engineEventSchema, type EngineEvent } from '../../../../extension/src/protocol/engineEvent.js';

const item = vi.hoisted(() => ({
  visible: false,
  text: '',
  tooltip: '',
  name: '',
  accessibilityInformation: { label: '' },
  command: { command: '', arguments: [] as unknown[] },
  show: () => void (item.visible = true),
  hide: () => void (item.visible = false),
  dispose: () => {},
}));
vi.mock('vscode', () => ({
  StatusBarAlignment: { Left: 1 },
  Disposable: { from: (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(each => each.dispose()) }) },
  window: { createStatusBarItem: () => item },
}));

/** 120 steps of the embedded model, with evaluations between them. */
const recorded: EngineEvent[] = readFileSync(
  new URL('../../../fixtures/runs/pirate-lora.ndjson', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map(line => engineEventSchema.parse(JSON.parse(line)));

/** A running run after these events. */
function run(name: string, events: readonly EngineEvent[]) {
  const state = events.reduce(reduceRun, initialRunState);
  return { name, folder: `/runs/${name}`, glance: () => state, phase: runPhase(state, true) };
}
/** Events up to this step, with `stepMs` per step. */
const until = (step: number, stepMs: number) =>
  recorded
    .slice(0, recorded.findIndex(event => event.type === 'step' && event.step === step) + 1)
    .map(event => (event.type === 'step' ? { ...event, step_ms: stepMs } : event));

const alive: ReturnType<typeof run>[] = [];
const listeners: (() => void)[] = [];
let registered: { dispose(): void };
const onDidChange = (listener: () => void) => {
  listeners.push(listener);
  return { dispose: () => {} };
};
/** The text of the item for these runs. */
function show(...runs: ReturnType<typeof run>[]): string | null {
  alive.splice(0, alive.length, ...runs);
  for (const listener of listeners) listener();
  return item.visible ? item.text : null;
}

beforeEach(() => {
  registered = registerRunStatusBar({
    alive: () => alive,
    onDidChange,
    onDidChangeRun: onDidChange,
  } as unknown as FolderRunService);
});
afterEach(() => {
  registered.dispose();
  listeners.length = 0;
});

const started = recorded.find(event => event.type === 'started')!;
const total = started.total_steps;
const loss = (step: number) =>
  recorded
    .filter(event => event.type === 'step')
    .find(event => event.step === step)!
    .loss.toFixed(3);

test('it shows step, loss and remaining time of the running run', () => {
  expect(total).toBe(120);
  const words = `step 10 of 120, train loss ${loss(10)}, 55 s left`;
  expect(show(run('pirate', until(10, 500)))).toBe(`$(sync~spin) pirate: ${words}`);
  expect(item.accessibilityInformation.label).toBe(`Tunewright run pirate, ${words}, TensorFlow · CPU, 2 threads`);
  // The time follows from the duration of steps; the longer it is, the rougher its format.
  expect(show(run('pirate', until(20, 500)))).toMatch(new RegExp(`step 20 of 120, train loss ${loss(20)}, 50 s left$`));
  expect(show(run('pirate', until(25, 500)))).toMatch(/step 25 of 120, val loss \d\.\d{3}, 48 s left$/);
  expect(show(run('pirate', until(20, 30_000)))).toMatch(/, 50 min left$/);
  expect(show(run('pirate', until(20, 60_000)))).toMatch(/, 1:40 h left$/);
});

test('it shows no loss before the first step, and no remaining time while paused', () => {
  expect(show(run('pirate', []))).toBe('$(loading~spin) pirate: starting');
  const before = recorded.slice(0, recorded.indexOf(started) + 1);
  expect(show(run('pirate', before))).toBe(`$(sync~spin) pirate: step 0 of ${total}`);
  const last = until(10, 1_000);
  const paused = { type: 'paused', step: 10, seq: last.at(-1)!.seq + 1, time: last.at(-1)!.time } as EngineEvent;
  expect(show(run('pirate', [...last, paused]))).toBe(
    `$(debug-pause) pirate: step 10 of ${total}, train loss ${loss(10)}, paused`,
  );
});

test('it shows what a run on a cluster waits for', () => {
  const queued = { type: 'queued', nodes: 1, seq: 0, time: '2026-01-01T00:00:00Z' } as const;
  const amounts = { wanted: { CPU: 4 }, available: { CPU: 1 }, total: { CPU: 8 } };
  expect(show(run('pirate', [{ ...queued, ...amounts }]))).toBe(
    '$(clockface) pirate: queued: wants 4 CPU (1 of 8 free)',
  );
});

test('with several runs it shows how many more there are, and opens the dashboard of the one it names', () => {
  const [first, second] = [run('pirate', until(10, 1_000)), run('haiku', until(4, 1_000))];
  expect(show(first, second)).toMatch(/^\$\(sync~spin\) pirate: .* left \(\+1\)$/);
  expect(item.command).toMatchObject({ command: 'tunewright.openDashboard', arguments: [first] });
});

test('it is hidden when no run is running', () => {
  expect(show(run('pirate', until(10, 1_000)))).not.toBeNull();
  expect(show()).toBeNull();
});
