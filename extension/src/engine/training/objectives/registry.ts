// The objectives there are. A new one is a file in this folder and a line here; beside it only `evaluate` names one, whose
// figures of single tokens are next-token prediction's.
import { causalLm } from './causalLm.js';
import type { Objective } from './objective.js';

export const objectives: readonly Objective[] = [causalLm];

/** What a run file without a word on it means. */
export const defaultObjective: Objective = causalLm;
