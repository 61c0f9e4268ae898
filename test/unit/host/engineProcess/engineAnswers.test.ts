import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { InputError } from '../../../../extension/src/core/inputError.js';
import { resolveModel } from '../../../../extension/src/engine/hub/resolveModel.js';
import {
  estimateOf,
  modelFactsOf,
  problemOf,
  savingsOf,
} from '../../../../extension/src/host/engineProcess/engineAnswers.js';

const recorded = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/webviews/${name}.json`, import.meta.url), 'utf8'));

describe('modelFactsOf', () => {
  it('finds the linear modules of the blocks with their shapes, not embeddings, norms and head', () => {
    const { parameters, matrices, loraTargets } = modelFactsOf(recorded('inspect-smollm2'));
    expect(parameters).toBe(134_515_008);
    expect(matrices.map(({ name }) => name)).toEqual([
      'down_proj',
      'gate_proj',
      'up_proj',
      'k_proj',
      'o_proj',
      'q_proj',
      'v_proj',
    ]);
    expect(matrices[0]).toEqual({ name: 'down_proj', outFeatures: 576, inFeatures: 1536, count: 30 });
    expect(loraTargets).toEqual(['q_proj', 'v_proj']);
  });
});

describe('savingsOf', () => {
  it('puts the run beside full fine-tuning on the same model', () => {
    const estimate = recorded('estimate-smollm2');
    const { run, full } = savingsOf(estimate);
    expect(run.total).toBe(estimateOf(estimate).run.memory.total);
    expect(full!.total).toBeGreaterThan(run.total);
  });
});

describe('problemOf', () => {
  it('finds the field that the engine names, whatever the file was called', () => {
    expect(problemOf('/tmp/x/draft.json: method.r: must be at least 1\n  Usual ranks are 4 to 32.')).toEqual({
      field: 'method.r',
      message: 'must be at least 1\n  Usual ranks are 4 to 32.',
    });
    expect(problemOf('method.num_layers: the model has only 4 layers').field).toBe('method.num_layers');
    expect(problemOf('/models/x: this folder has no model').field).toBeNull();
  });

  it.each([
    ['HuggingFaceTB/SmolLM2-360M-Instruct', /^Not on this machine yet, so there is no estimate/],
    ['/models/none', /^There is no such file/],
  ])('says of %s, which is not on the machine, that there is no estimate', async (model, words) => {
    const told = await resolveModel(model, { baseDir: '/', allowDownload: false }).catch((error: InputError) =>
      error.describe(),
    );
    expect(problemOf(`error: ${told as string}`)).toEqual({ field: 'model', message: expect.stringMatching(words) });
  });
});
