// Shared by the suites that train: a run of the embedded model, and waiting for what it does.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { currentStep } from '../../../../extension/src/core/runs/runState.js';
import { runPhase } from '../../../../extension/src/core/runs/runStatus.js';
import type { Run } from '../../../../extension/src/host/services.js';
import { waitFor, workspacePath } from './support.js';

export const phase = (run: Run) => runPhase(run.state(), run.alive);

/** Describes a run that a test is waiting for. */
function describeRun(run: Run): string {
  const log = join(run.folder, 'engine.log');
  return `${phase(run)} at step ${currentStep(run.state())}; ${existsSync(log) ? readFileSync(log, 'utf8') : 'no log'}`;
}

/** Fails early if the run fails, unless that is what the test waits for. */
export const waitForRun = (run: Run, what: string, ask: () => boolean) =>
  waitFor(
    `${run.name}: ${what}`,
    () => ask() || (phase(run) === 'failed' && assert.fail(describeRun(run))),
    () => describeRun(run),
  );

export function config(name: string, training: object): object {
  return {
    name,
    model: process.env['TUNEWRIGHT_TEST_MODEL'] ?? 'embedded:tiny',
    dataset: { train: workspacePath('datasets', 'pirate.messages.jsonl'), validation: 0.1, max_length: 64 },
    method: { peft_type: 'LORA', r: 4 },
    training: { per_device_train_batch_size: 2, learning_rate: 1e-3, ...training },
  };
}
