import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { runFileJsonSchema } from '../../../extension/src/engine/run/runFileSchema.js';
import { peftMethod } from '../../../extension/src/engine/peft/registry.js';
import { modelInspectionSchema } from '../../../extension/src/protocol/answers.js';
import type { ModelChoice } from '../../../extension/src/protocol/runPanelMessages.js';
import { modelFactsOf } from '../../../extension/src/host/engineProcess/engineAnswers.js';
import { methodsOf, quickCount, suggestedName, withModel } from '../../../webview/src/runPanel/draft.js';

const recorded = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/webviews/${name}.json`, import.meta.url), 'utf8'));

describe('quickCount', () => {
  const facts = modelFactsOf(modelInspectionSchema.parse(recorded('inspect-smollm2')));
  const { lowRank } = peftMethod('LORA')!;

  it('counts as the engine does, from the shapes alone', () => {
    // The recorded estimate has r = 8 and the default targets.
    expect(quickCount(lowRank!, {}, 8, facts)).toBe(recorded('estimate-smollm2').run.trainable_parameters);
    expect(quickCount(lowRank!, { target_modules: ['q_proj', 'v_proj'] }, 16, facts)).toBe(921_600);
  });

  it('counts all-linear as the engine does', () => {
    const tiny = modelFactsOf(modelInspectionSchema.parse(recorded('inspect-tiny')));
    expect(quickCount(lowRank!, { target_modules: 'all-linear' }, 8, tiny)).toBe(115_840);
  });

  it('leaves options that need more than shapes to the engine', () => {
    expect(quickCount(lowRank!, { rank_pattern: { q_proj: 4 } }, 8, facts)).toBeNull();
    expect(quickCount(lowRank!, { target_modules: '.*q_proj' }, 8, facts)).toBeNull();
  });
});

describe('withModel', () => {
  const choices: ModelChoice[] = [
    { id: 'tiny', group: '', detail: '', suggested: { training: { learning_rate: 5e-3, warmup_steps: 5 } } },
    { id: 'large', group: '', detail: '' },
    { id: 'wide', group: '', detail: '', suggested: { method: { peft_type: 'LORA', r: 4 } } },
  ];

  it('adds suggested options to their own method only', () => {
    const lora = { method: { peft_type: 'LORA' } };
    expect(withModel(lora, 'wide', choices)).toEqual({ model: 'wide', method: { peft_type: 'LORA', r: 4 } });
    expect(withModel(withModel(lora, 'wide', choices), 'large', choices)).toEqual({ ...lora, model: 'large' });
    const ia3 = { method: { peft_type: 'IA3' } };
    expect(withModel(ia3, 'wide', choices)).toEqual({ ...ia3, model: 'wide' });
  });

  it('adds missing values suggested for the model, and removes them with the model', () => {
    const draft = { training: { warmup_steps: 9, seed: 1 }, name: 'mine' };
    const tiny = withModel(draft, 'tiny', choices);
    expect(tiny).toEqual({
      name: 'mine',
      model: 'tiny',
      training: { learning_rate: 5e-3, warmup_steps: 9, seed: 1 },
    });
    expect(withModel(tiny, 'large', choices)).toEqual({ ...draft, model: 'large' });
    expect(withModel(withModel({}, 'tiny', choices), 'large', choices)).toEqual({ model: 'large' });
  });
});

describe('methodsOf', () => {
  it('finds every method of the run file’s schema with its options', () => {
    const methods = methodsOf(runFileJsonSchema() as JsonSchema);
    expect(methods.map(({ peftType }) => peftType)).toContain('IA3');
    const lora = methods.find(({ peftType }) => peftType === 'LORA')!;
    expect(lora.title).toBe('LoRA');
    expect(Object.keys(lora.schema.properties!)).toEqual(expect.arrayContaining(['r', 'init_from']));
    expect(lora.schema.properties).not.toHaveProperty('peft_type');
  });
});

describe('suggestedName', () => {
  it('names a run after its dataset and its method', () => {
    expect(suggestedName('C:\\data\\pirate.messages.jsonl', 'PROMPT_TUNING')).toBe('pirate-prompt-tuning');
    expect(suggestedName('', 'LORA')).toBe('run-lora');
  });
});
