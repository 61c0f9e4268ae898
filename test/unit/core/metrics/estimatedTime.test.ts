import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { estimatedTime } from '../../../../extension/src/core/metrics/estimatedTime.js';
import { estimateSchema } from '../../../../extension/src/protocol/answers.js';

const estimate = estimateSchema.parse(
  JSON.parse(readFileSync(new URL('../../../fixtures/webviews/estimate-smollm2.json', import.meta.url), 'utf8')),
);

it('describes as much of a run’s time as the estimate has', () => {
  const { run } = estimate;
  expect(estimatedTime(estimate)).toMatch(/^About 5 min on this machine: 304 steps of 1\.0 s$/);
  const uncounted = { ...estimate, total_steps: null, run: { ...run, train_seconds: null } };
  expect(estimatedTime(uncounted)).toBe('About 1.0 s per step on this machine');
  expect(estimatedTime({ ...uncounted, run: { ...uncounted.run, seconds_per_step: null } })).toBeNull();
});
