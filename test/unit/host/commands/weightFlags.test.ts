import { expect, test } from 'vitest';
import { weightFlags } from '../../../../extension/src/host/commands/weightFlags.js';
import { runConfigSchema } from '../../../../extension/src/protocol/runConfig.js';

test('a run’s result is tried on its base model as the run loaded it', () => {
  const engine = { base_weights: 'int4', precision: 'bfloat16' };
  const run = { model: 'm', dataset: { train: 'rows.jsonl' }, method: { peft_type: 'LORA' }, engine };
  expect(weightFlags(runConfigSchema.parse(run))).toEqual(['--base-weights', 'int4', '--precision', 'bfloat16']);
  // From a folder that an older engine wrote.
  expect(weightFlags({ name: 'old', engine: { backend: 'auto' } })).toEqual([]);
  expect(weightFlags({})).toEqual([]);
});
