// The options of engine commands that load a base model as a run did: its weights and its device. Used to try and serve results of runs.
import { block } from '../../core/runs/runFileKeys.js';

/** @param config content of the run's run.json */
export function baseFlags(config: object): string[] {
  const engine = block(config as Record<string, unknown>, 'engine');
  const option = (name: string, value: unknown) =>
    typeof value === 'string' || typeof value === 'number' ? [name, String(value)] : [];
  return [
    ...option('--base-weights', engine['base_weights']),
    ...option('--precision', engine['precision']),
    ...option('--backend', engine['backend'] === 'auto' ? null : engine['backend']),
    ...option('--gpu-adapter', engine['adapter']),
  ];
}
