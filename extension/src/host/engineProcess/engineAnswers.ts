// Converts the engine's answers to what the webviews show: facts of a model, savings, problems at their fields. Pure.
import { describeError } from '../../core/codedError.js';
import { baselineOf } from '../../core/metrics/comparedWith.js';
import { pathFields } from '../../core/runs/runFileKeys.js';
import type { EstimateAnswer, ModelInspection } from '../../protocol/answers.js';
import type { Savings } from '../../protocol/dashboardMessages.js';
import type { EngineError } from '../../protocol/engineError.js';
import type { Draft, ModelFacts, Problem } from '../../protocol/runPanelMessages.js';
import { EngineInputError } from '../services.js';

export function modelFactsOf(inspection: ModelInspection): ModelFacts {
  const { reference, modelType, parameters, contextLength, defaultTargets, tensors } = inspection;
  const matrices = tensors.flatMap(({ name, shape, count }) => {
    // Linear modules of the blocks, as `model.layers.{0-29}.mlp.up_proj.weight`, without embeddings and head.
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

/** Top-level keys of a run file; records with other keys are about models and adapters. */
const RUN_FILE_KEYS = ['model', 'name', 'dataset', 'method', 'training', 'samples', 'engine'];

/** The model, as named in the run file, that is not on this machine but can be pulled; null for other errors. */
export function pullableModel(error: unknown): string | null {
  const record = error instanceof EngineInputError ? error.record : null;
  return record?.code === 'model_not_pulled' ? (record.file ?? null) : null;
}

/**
 * The problem of a draft, at the field that the engine names, or whose file it is about.
 * @param draft with absolute paths
 * @param draftFile path given to the engine for the draft, or of the run file of the run started from it; not shown to users
 */
export function problemOf(record: EngineError, draft: Draft, draftFile: string): Problem {
  const { code, file, key } = record;
  if (code === 'model_not_pulled' && file !== undefined)
    return { field: 'model', message: 'This model is not on this machine yet.', pull: file };
  if (code === 'model_not_found') return { field: 'model', message: missingModelText(record) };
  const ofFile = file === undefined ? undefined : pathFields(draft).find(({ path }) => path === file)?.field;
  if (ofFile !== undefined) return { field: ofFile, message: describeError(record) };
  const isOfDraft = file === undefined || file === draftFile;
  const field = isOfDraft && key !== undefined && RUN_FILE_KEYS.includes(key.split('.')[0]!) ? key : null;
  const place = { file: isOfDraft ? undefined : file, key: field === null ? key : undefined };
  return { field, message: describeError({ ...record, ...place }) };
}

function missingModelText(record: EngineError): string {
  const isPath = /^([./~]|[A-Za-z]:)/.test(record.file ?? '');
  return isPath ? 'This file or folder does not exist.' : describeError({ ...record, file: undefined });
}
