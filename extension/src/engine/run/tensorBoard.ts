// Writes a run's metrics as TensorBoard event files. Uses tfjs-node, so only with the tensorflow backend.
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { withModesOf } from '../../system/privateFolder.js';
import { requireFromTfjsNode } from '../install/tfjsNodePackage.js';

interface SummaryFileWriter {
  scalar(name: string, value: number, step: number): void;
  flush(): void;
}

/**
 * Writes the metrics of `step` and `evaluated` events under the names that Transformers' Trainer uses. A failure doesn't stop the
 * run: it is reported to `onFailure` once, and nothing more is written.
 */
export function tensorBoardWriter(
  folder: string,
  onFailure: (reason: string) => void,
): { write(event: EngineEvent): void; close(): void } {
  let writer: SummaryFileWriter | null = null;
  const attempt = (work: () => void) => {
    try {
      withModesOf(folder, work);
    } catch (error) {
      writer = null;
      onFailure((error as Error).message.split('\n')[0]!);
    }
  };
  const scalars = (step: number, values: Record<string, number>) =>
    attempt(() => {
      for (const [name, value] of Object.entries(values)) writer?.scalar(name, value, step);
    });
  attempt(() => {
    const { summaryFileWriter } = requireFromTfjsNode('@tensorflow/tfjs-node/dist/tensorboard.js') as {
      summaryFileWriter(folder: string): SummaryFileWriter;
    };
    writer = summaryFileWriter(folder);
  });
  return {
    write: event => {
      if (event.type === 'step')
        scalars(event.step, {
          'train/loss': event.loss,
          'train/grad_norm': event.grad_norm,
          'train/learning_rate': event.learning_rate,
          'train/tokens_per_second': event.tokens_per_second,
        });
      if (event.type === 'evaluated')
        for (const [name, value] of Object.entries({ loss: event.loss, ...event.metrics }))
          scalars(event.step, { [`eval/${name}`]: value });
    },
    close: () => attempt(() => writer?.flush()),
  };
}
