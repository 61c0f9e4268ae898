// The learning rate schedules of Transformers' get_scheduler: a factor on the peak rate by step, counted from 0.
import type { TrainingConfig } from '../../protocol/runConfig.js';

export type SchedulerType = TrainingConfig['lr_scheduler_type'];

interface Span {
  warmup: number;
  total: number;
  learningRate: number;
}

/** lr_end in Transformers' polynomial schedule. */
const POLYNOMIAL_END = 1e-7;

/** Share of the steps after the warm-up that are done. */
function progress(step: number, { warmup, total }: Span): number {
  return (step - warmup) / Math.max(1, total - warmup);
}

/** The factor after the warm-up, which is linear in all schedules except `constant`, which has none. */
const decays: Record<SchedulerType, (step: number, span: Span) => number> = {
  constant: () => 1,
  constant_with_warmup: () => 1,
  linear: (step, { warmup, total }) => Math.max(0, (total - step) / Math.max(1, total - warmup)),
  cosine: (step, span) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress(step, span)))),
  cosine_with_restarts: (step, span) => {
    const done = progress(step, span);
    return done >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (done % 1))));
  },
  polynomial: (step, span) => {
    const end = POLYNOMIAL_END / span.learningRate;
    return step > span.total ? end : (1 - end) * (1 - progress(step, span)) + end;
  },
  inverse_sqrt: (step, { warmup }) => {
    const timescale = warmup || 10_000;
    return 1 / Math.sqrt((step + timescale - warmup) / timescale);
  },
};

/**
 * The learning rate of update `step`, counted from 0.
 * @param totalSteps updates of the whole run
 */
export function learningRateAt(step: number, config: TrainingConfig, totalSteps: number): number {
  const warmup = warmupSteps(config, totalSteps);
  const { lr_scheduler_type: type, learning_rate: peak } = config;
  if (type !== 'constant' && step < warmup) return peak * (step / Math.max(1, warmup));
  return peak * decays[type](step, { warmup, total: totalSteps, learningRate: peak });
}

/** Steps over which the rate rises, of a run with this number of updates. */
export function warmupSteps(config: TrainingConfig, totalSteps: number): number {
  return config.warmup_steps > 0 ? config.warmup_steps : Math.ceil(config.warmup_ratio * totalSteps);
}
