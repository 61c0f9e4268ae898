// What is said of a run whose process a signal has ended, so that it could say nothing itself. Pure; for races and for the editor.
import type { EngineError } from '../../protocol/engineError.js';

/**
 * @param oomKills processes that the operating system has killed for memory while the run's was alive; null: it doesn't say
 */
export function endedBySignal(
  signal: NodeJS.Signals,
  oomKills: number | null,
): Pick<EngineError, 'message' | 'hint'> & { code: 'out_of_memory' | 'internal' } {
  if (signal !== 'SIGKILL') return { code: 'internal', message: `the process was ended by ${signal}` };
  if (oomKills === 0)
    return {
      code: 'internal',
      message: 'the process was ended by SIGKILL, from another program or a user: memory had not run out',
    };
  return {
    code: 'out_of_memory',
    message: oomKills
      ? 'the process was ended by SIGKILL, from the operating system: memory ran out'
      : 'the process was ended by SIGKILL, most likely because memory ran out',
    hint: 'Lower training.per_device_train_batch_size or dataset.max_length, set training.gradient_checkpointing or engine.base_weights, or close other programs; then resume.',
  };
}
