import { expect, test } from 'vitest';
import { initialRunState, type RunState } from '../../../../extension/src/core/runs/runState.js';
import { roughDuration, runPhase, runSeconds } from '../../../../extension/src/core/runs/runStatus.js';

const started = { ...initialRunState, started: {} as RunState['started'] };

test('a run without events is starting while its process is alive, else failed', () => {
  expect(runPhase(initialRunState, true)).toBe('starting');
  expect(runPhase(initialRunState, false)).toBe('failed');
});

test('a run that has not ended and has no process was interrupted', () => {
  for (const status of ['running', 'paused'] as const) {
    expect(runPhase({ ...started, status }, true)).toBe(status);
    expect(runPhase({ ...started, status }, false)).toBe('interrupted');
  }
});

test('an ended run keeps its status until a process continues it', () => {
  for (const status of ['completed', 'stopped', 'failed'] as const) {
    expect(runPhase({ ...started, status }, false)).toBe(status);
    expect(runPhase({ ...started, status }, true)).toBe('starting');
  }
});

test('durations', () => {
  expect(runSeconds({ ...started, firstTime: '2026-01-01T00:00:00Z', lastTime: '2026-01-01T00:01:30Z' })).toBe(90);
  expect(runSeconds(initialRunState)).toBe(0);
  expect([0.2, 42, 600, 9000].map(roughDuration)).toEqual(['1 s', '42 s', '10 min', '2:30 h']);
});
