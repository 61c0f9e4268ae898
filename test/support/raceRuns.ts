// Figures of runs, as if they had been raced, for tests of what a race says.
import type { RunFigures } from '../../extension/src/core/race/raceFigures.js';

/** A finished run. */
export function finishedRun(name: string, seed: number, changes: Partial<RunFigures> = {}): RunFigures {
  return {
    name,
    seed,
    run: `runs/${name}-seed${seed}`,
    status: 'finished',
    peft_type: 'LORA',
    trainable_parameters: 1000,
    total_parameters: 100_000,
    validation_loss: 1,
    score: null,
    peak_rss_bytes: 500e6,
    train_seconds: 60,
    kl_from_base: null,
    general_loss: null,
    steps: 10,
    failure: null,
    ...changes,
  };
}

/** A run without figures. */
export function unfinishedRun(name: string, seed: number, changes: Partial<RunFigures> = {}): RunFigures {
  return finishedRun(name, seed, {
    status: 'waiting',
    trainable_parameters: null,
    total_parameters: null,
    validation_loss: null,
    peak_rss_bytes: null,
    train_seconds: null,
    steps: null,
    ...changes,
  });
}
