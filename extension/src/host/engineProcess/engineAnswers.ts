// From what the engine answers to what the webviews are told: facts of a model, savings, problems at their fields. Pure.
import { describeError } from '../../core/codedError.js';
import { baselineOf } from '../../core/metrics/comparedWith.js';
import type { EstimateAnswer, ModelInspection } from '../../protocol/answers.js';
import type { Savings } from '../../protocol/dashboardMessages.js';
import type { EngineError } from '../../protocol/engineError.js';
import type { ModelFacts, Problem } from '../../protocol/runPanelMessages.js';
import { EngineInputError } from '../services.js';

export function modelFactsOf(inspection: ModelInspection): ModelFacts {
  const { reference, modelType, parameters, contextLength, defaultTargets, tensors } = inspection;
  const matrices = tensors.flatMap(({ name, shape, count }) => {
    // The linear modules of the blocks: `model.layers.{0-29}.mlp.up_proj.weight`, not embeddings and head.
    const module = /\.(?:\{[\d,-]+\}|\d+)\.(?:.*\.)?(\w+)\.weight$/.exec(name)?.[1];
    const [outFeatures, inFeatures] = shape;
    return module && shape.length === 2
      ? [{ name: module, outFeatures: outFeatures!, inFeatures: inFeatures!, count }]
      : [];
  });
  return { reference, modelType, parameters, contextLength, matrices, loraTargets: defaultTargets.lora };
}

export function savingsOf(answer: EstimateAnswer): Savings {
  const full = baselineOf(answer);
  return {
    run: answer.run.memory,
    full: full?.memory ?? null,
    full_parameters: full?.trainable_parameters ?? null,
    inference_bytes: answer.inference_bytes,
  };
}

/** The keys that a run file begins with; other keys of records are those of models and adapters. */
const BLOCKS = ['model', 'name', 'dataset', 'method', 'training', 'samples', 'engine'];

/** The model that a call with --offline hasn't found on this machine, by its name in the run file; else null. */
export function missingModel(error: unknown): string | null {
  const record = error instanceof EngineInputError ? error.record : null;
  return record?.code === 'model_not_found' ? (record.file ?? null) : null;
}

/**
 * What is wrong with a draft, at the field that the engine names.
 * @param draftFile what the engine was told to be the draft's file: of no interest to people, and the file of its keys
 */
export function problemOf(record: EngineError, draftFile: string): Problem {
  const { code, file, key } = record;
  if (code === 'model_not_found' && file !== undefined) return notHere(file);
  const isOfDraft = file === undefined || file === draftFile;
  const field = isOfDraft && key !== undefined && BLOCKS.includes(key.split('.')[0]!) ? key : null;
  const place = { file: isOfDraft ? undefined : file, key: field === null ? key : undefined };
  return { field, message: describeError({ ...record, ...place }) };
}

function notHere(model: string): Problem {
  const message = /^([./~]|[A-Za-z]:)/.test(model)
    ? 'There is no such file or folder.'
    : 'Not on this machine yet, so there is no estimate. Pull it in the Models and Adapters view to see what it takes; starting the run pulls it too.';
  return { field: 'model', message };
}
