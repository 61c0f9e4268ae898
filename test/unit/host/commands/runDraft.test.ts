// What a new run is proposed to begin with, by its model.
import { expect, test, vi } from 'vitest';

vi.mock('vscode', () => ({}));
const { suggestedFor } = await import('../../../../extension/src/host/commands/runDraft.js');
const { runConfigSchema } = await import('../../../../extension/src/protocol/runConfig.js');

test('the embedded model starts from its example, other models multiply in bfloat16 where that is faster', () => {
  const root = new URL('../../../..', import.meta.url).pathname;
  expect(suggestedFor('embedded:tiny', root)).toMatchObject({
    dataset: { max_length: expect.any(Number) },
    method: { peft_type: 'LORA' },
    training: { learning_rate: expect.any(Number) },
  });
  expect(suggestedFor('org/model', root)).toEqual({ engine: { precision: 'auto' } });
});

test('suggested values are those of a run file', () => {
  const run = { model: 'org/model', dataset: { train: 'a.jsonl' }, method: { peft_type: 'LORA' } };
  expect(runConfigSchema.safeParse({ ...run, ...suggestedFor('org/model', '.') }).success).toBe(true);
});
