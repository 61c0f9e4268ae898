// What leaves this machine when a run is trained on a cluster, for the question before it is sent for the first time. Pure.
import { block } from '../../core/runs/runFileKeys.js';
import { fileName } from '../../core/fileName.js';

/** A line for each thing. */
export function sentToCluster(config: object): string[] {
  const run = config as Record<string, unknown>;
  const { train, validation } = block(run, 'dataset');
  const { prompts } = block(run, 'samples');
  const rows = typeof train === 'string' ? `the rows of ${fileName(train)}` : 'the training rows';
  const held = typeof validation === 'string' ? `the validation rows of ${fileName(validation)}, as token ids` : null;
  return [
    `${rows}, as token ids${typeof validation === 'number' ? ', also those held for validation' : ''}`,
    ...(held === null ? [] : [held]),
    `the base model ${typeof run['model'] === 'string' ? fileName(run['model']) : ''}, if the cluster doesn’t have it and can’t get it from Hugging Face`,
    ...(Array.isArray(prompts) && prompts.length > 0 ? ['the prompts of samples'] : []),
    'the settings of the run, and the values of its adapter',
  ];
}
