// The duration of a run in words, from its estimate. For the run panel and the message of the Estimate command.
import type { EstimateAnswer } from '../../protocol/answers.js';
import { roughDuration } from '../runs/runStatus.js';
import { count, shortTime } from '../units.js';

/** null if the machine's speed isn't known. */
export function estimatedTime({ run, total_steps: steps }: EstimateAnswer): string | null {
  const { seconds_per_step: stepSeconds, train_seconds: trainSeconds } = run;
  if (stepSeconds === null) return null;
  if (trainSeconds === null || steps === null) return `About ${shortTime(stepSeconds)} per step on this machine`;
  return `About ${roughDuration(trainSeconds)} on this machine: ${count(steps)} steps of ${shortTime(stepSeconds)}`;
}
