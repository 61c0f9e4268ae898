import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import { runFileJsonSchema } from '../../../extension/src/engine/run/runFileSchema.js';
import { peftMethod } from '../../../extension/src/engine/peft/registry.js';
import { modelInspectionSchema } from '../../../extension/src/protocol/answers.js';
import { modelFactsOf } from '../../../extension/src/host/engineProcess/engineAnswers.js';
import { methodsOf, quickCount } from '../../../webview/src/runPanel/draft.js';

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
