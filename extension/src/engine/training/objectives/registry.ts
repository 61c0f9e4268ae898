// The objectives. A new one is a file in this folder and a line here. Only `evaluate` names one elsewhere, because its
// per-token losses exist only in next-token prediction.
import { causalLm } from './causalLm.js';
import type { Objective } from './objective.js';

export const objectives: readonly Objective[] = [causalLm];

/** The objective of every run, as long as the run file has no key for it. */
export const defaultObjective: Objective = causalLm;
