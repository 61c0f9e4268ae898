import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { InputError } from '../../../../extension/src/core/inputError.js';
import { resolveModel } from '../../../../extension/src/engine/hub/resolveModel.js';
import {
  modelFactsOf,
  problemOf,
  pullableModel,
  savingsOf,
} from '../../../../extension/src/host/engineProcess/engineAnswers.js';
import { EngineInputError } from '../../../../extension/src/host/services.js';
import { estimateSchema, modelInspectionSchema } from '../../../../extension/src/protocol/answers.js';

afterEach(() => void vi.unstubAllEnvs());

const recorded = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/webviews/${name}.json`, import.meta.url), 'utf8'));

describe('modelFactsOf', () => {
  it('finds the linear modules of the blocks with their shapes, not embeddings, norms and head', () => {
    const { parameters, matrices, loraTargets } = modelFactsOf(
      modelInspectionSchema.parse(recorded('inspect-smollm2')),
    );
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
  it('compares the run with full fine-tuning of the same model', () => {
    const estimate = estimateSchema.parse(recorded('estimate-smollm2'));
    const { run, full } = savingsOf(estimate);
    expect(run.total).toBe(estimate.run.memory.total);
    expect(full!.total).toBeGreaterThan(run.total);
  });
});

describe('problemOf', () => {
  const draft = '/tmp/x/draft.json';

  it('is at the field that the engine names, with the hint and without the draft’s path', () => {
    const told = { message: 'must be at least 1', hint: 'Usual ranks are 4 to 32.' };
    expect(problemOf({ code: 'bad_input', ...told, file: draft, key: 'method.r' }, {}, draft)).toEqual({
      field: 'method.r',
      message: 'must be at least 1.\n  Usual ranks are 4 to 32.',
    });
    const layers = { message: 'the model has only 4 layers', key: 'method.num_layers' };
    expect(problemOf({ code: 'bad_input', ...layers }, {}, draft).field).toBe('method.num_layers');
  });

  it('is at no field if it is about another file, whatever its keys', () => {
    const tensor = { message: 'it is missing', file: '/models/x/model.safetensors', key: 'model.norm.weight' };
    expect(problemOf({ code: 'bad_input', ...tensor }, {}, draft)).toEqual({
      field: null,
      message: '/models/x/model.safetensors: model.norm.weight: it is missing',
    });
  });

  it('is at the field whose file it is about', () => {
    const paths = {
      dataset: { train: '/ws/a.jsonl', validation: '/ws/b.jsonl' },
      method: { init_from: '/ws/adapter' },
    };
    const fieldOf = (file: string) => problemOf({ code: 'bad_input', message: 'wrong', file }, paths, draft).field;
    expect(['/ws/a.jsonl', '/ws/b.jsonl', '/ws/adapter', '/ws/c.jsonl'].map(fieldOf)).toEqual([
      'dataset.train',
      'dataset.validation',
      'method.init_from',
      null,
    ]);
  });

  it.each([
    ['HuggingFaceTB/SmolLM2-360M-Instruct', /^This model is not on this machine yet\.$/, true],
    ['bartowski/Some-GGUF:some.Q4_K_M.gguf', /^This model is not on this machine yet\.$/, true],
    ['smollm2-135m-instruct', /^This model is not on this machine yet\.$/, true],
    ['/models/none', /^This file or folder does not exist\.$/, false],
    ['./none', /^This file or folder does not exist\.$/, false],
    ['no-such-model', /^the model is not on this machine [^]*List local models/, false],
    ['smollm2-135m-instuct', /Did you mean smollm2-135m-instruct\?/, false],
    ['ollama:none', /not in the Ollama store/, false],
    ['embedded:none', /unknown embedded model\.\s+Use embedded:tiny/, false],
  ])('reports that %s is not on this machine', async (model, words, pullable) => {
    for (const store of ['HF_HOME', 'TUNEWRIGHT_CACHE']) vi.stubEnv(store, '/none');
    const record = await resolveModel(model, { baseDir: '/', allowDownload: false }).then(
      () => Promise.reject(new Error('it was found')),
      (error: InputError) => error.record(),
    );
    expect(problemOf(record, {}, draft)).toEqual({
      field: 'model',
      message: expect.stringMatching(words),
      ...(pullable ? { pull: model } : {}),
    });
    expect(pullableModel(new EngineInputError(record))).toBe(pullable ? model : null);
  });
});
