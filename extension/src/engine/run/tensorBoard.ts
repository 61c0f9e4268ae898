// Writes a run's metrics as TensorBoard event files.
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { withModesOf } from '../../system/privateFolder.js';
import { EventFile } from './eventFile.js';

/**
 * Writes the metrics of `step` and `evaluated` events under the names that Transformers' Trainer uses. A failure doesn't stop the
 * run: it is reported to `onFailure` once, and nothing more is written.
 */
export function tensorBoardWriter(
  folder: string,
  onFailure: (reason: string) => void,
): { write(event: EngineEvent): void } {
  let file: EventFile | null = null;
  const attempt = (work: () => void) => {
    try {
      withModesOf(folder, work);
    } catch (error) {
      file = null;
      onFailure((error as Error).message.split('\n')[0]!);
    }
  };
  attempt(() => (file = new EventFile(folder)));
  return {
    write: event => {
      if (!file) return;
      if (event.type === 'step')
        attempt(() =>
          file!.scalars(
            {
              'train/loss': event.loss,
              'train/grad_norm': event.grad_norm,
              'train/learning_rate': event.learning_rate,
              'train/tokens_per_second': event.tokens_per_second,
              ...(event.gpu_bytes === undefined ? {} : { 'train/gpu_bytes': event.gpu_bytes }),
            },
            event.step,
          ),
        );
      if (event.type === 'evaluated') {
        const named = Object.entries({ loss: event.loss, ...event.metrics }).map(([name, value]) => [
          `eval/${name}`,
          value,
        ]);
        attempt(() => file!.scalars(Object.fromEntries(named), event.step));
      }
    },
  };
}
