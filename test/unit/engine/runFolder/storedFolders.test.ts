// Run folders and run files written by earlier versions can be read: test/fixtures/runFolders, a folder per version.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { MetricColumns } from '../../../../extension/src/core/runs/metricColumns.js';
import { initialRunState, reduceRun } from '../../../../extension/src/core/runs/runState.js';
import { readRunFile } from '../../../../extension/src/engine/run/readRunFile.js';
import { readEvents } from '../../../../extension/src/engine/runFolder/eventLog.js';
import { RunFolder } from '../../../../extension/src/engine/runFolder/runFolder.js';
import { readCheckpointState } from '../../../../extension/src/engine/training/checkpoint.js';

const fixtures = fileURLToPath(new URL('../../../fixtures/runFolders', import.meta.url));
const versions = readdirSync(fixtures).filter(name => /^v\d+$/.test(name));

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

function columns<Keys extends string>(metrics: MetricColumns<Keys>) {
  return Object.fromEntries(metrics.keys.map(key => [key, [...metrics.column(key)]]));
}

describe.each(versions)('%s', version => {
  const at = (...parts: string[]) => join(fixtures, version, ...parts);

  it.each(['finished', 'stopped', 'failed'])(
    'a %s run is read completely, and its events give the recorded state',
    name => {
      const folder = RunFolder.open(at(name));
      expect(readRunFile(folder.runFile).config.name).toBe(name);
      const events = readEvents(folder.eventsFile);
      expect(events).toHaveLength(readFileSync(folder.eventsFile, 'utf8').trimEnd().split('\n').length);
      const { steps, evaluations, ...state } = events.reduce(reduceRun, initialRunState);
      const recorded = json(at(`${name}.state.json`));
      expect(recorded.steps.step.length).toBeGreaterThan(0);
      expect({ ...state, steps: columns(steps), evaluations: columns(evaluations) }).toMatchObject(recorded);
      const saved = folder.checkpointSteps();
      expect(saved.length).toBeGreaterThan(0);
      for (const step of saved) expect(readCheckpointState(folder.checkpoint(step))).toMatchObject({ step });
    },
  );

  it.each(readdirSync(at('runFiles')))('the run file %s has the same meaning', name => {
    const written = json(at('runFiles', name));
    expect(readRunFile(at('runFiles', name)).config).toMatchObject(written);
  });
});
