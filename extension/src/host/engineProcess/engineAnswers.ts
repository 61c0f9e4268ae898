// From what the engine's commands print to what the webviews are told: facts of a model, estimates, problems at their fields.
// Pure; what the engine prints is checked here, where it enters.
import * as z from 'zod';
import { missingModel } from './errorMessage.js';
import type { Savings } from '../../protocol/dashboardMessages.js';
import { estimateSchema, type EstimateAnswer, type ModelFacts, type Problem } from '../../protocol/runPanelMessages.js';

/** `inspect MODEL --json`, as far as it is used. */
const inspectionSchema = z.object({
  reference: z.string(),
  modelType: z.string(),
  parameters: z.int(),
  contextLength: z.int(),
  defaultTargets: z.object({ lora: z.array(z.string()) }),
  tensors: z.array(z.object({ name: z.string(), shape: z.array(z.int()), count: z.int() })),
});

export function modelFactsOf(inspection: unknown): ModelFacts {
  const { reference, modelType, parameters, contextLength, defaultTargets, tensors } =
    inspectionSchema.parse(inspection);
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

export function estimateOf(estimate: unknown): EstimateAnswer {
  return estimateSchema.parse(estimate);
}

export function savingsOf(estimate: unknown): Savings {
  const { run, methods, inference_bytes } = estimateOf(estimate);
  const full = run.peft_type === 'FULL' ? run : methods.find(method => method.peft_type === 'FULL');
  const known = full && 'memory' in full ? full : null;
  return {
    run: run.memory,
    full: known?.memory ?? null,
    full_parameters: known?.trainable_parameters ?? null,
    inference_bytes,
  };
}

/** The engine's `/tmp/draft.json: method.r: message` as a problem at the field `method.r`. */
export function problemOf(message: string): Problem {
  // Which file the draft was written to is nobody's affair.
  const told = message.replace(/^(?:error: )?(?:\S[^:\n]*\.json: )?/, '').trim();
  const missing = missingModel(told);
  if (missing !== null) return notHere(missing);
  const at = /^((?:model|name|dataset|method|training|samples|engine)(?:\.\w+)*): (.+)$/s.exec(told);
  return at ? { field: at[1]!, message: at[2]!.trim() } : { field: null, message: told };
}

function notHere(model: string): Problem {
  const message = /^([./~]|[A-Za-z]:)/.test(model)
    ? 'There is no such file or folder.'
    : 'Not on this machine yet, so there is no estimate. Pull it in the Models and Adapters view to see what it takes; starting the run pulls it too.';
  return { field: 'model', message };
}
