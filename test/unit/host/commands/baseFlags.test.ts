import { expect, test } from 'vitest';
import { baseFlags } from '../../../../extension/src/host/commands/baseFlags.js';
import { runConfigSchema } from '../../../../extension/src/protocol/runConfig.js';

test('a run’s result is tried on its base model as the run loaded it', () => {
  const engine = { base_weights: 'int4', precision: 'bfloat16', backend: 'webgpu', adapter: 'NVIDIA L4' };
  const run = { model: 'm', dataset: { train: 'rows.jsonl' }, method: { peft_type: 'LORA' }, engine };
  expect(baseFlags(runConfigSchema.parse(run))).toEqual([
    ...['--base-weights', 'int4', '--precision', 'bfloat16'],
    ...['--backend', 'webgpu', '--gpu-adapter', 'NVIDIA L4'],
  ]);
  expect(baseFlags({ engine: { backend: 'auto', adapter: 1 } })).toEqual(['--gpu-adapter', '1']);
  // From a folder that an older engine wrote.
  expect(baseFlags({ name: 'old', engine: { backend: 'auto' } })).toEqual([]);
  expect(baseFlags({})).toEqual([]);
});
