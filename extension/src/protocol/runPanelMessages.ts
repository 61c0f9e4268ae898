// Messages between the sidebar's run panel (webview/src/runPanel) and its provider (host/webviews). A draft is an incomplete run
// file: keys at their default are left out. Its paths are absolute.
import * as z from 'zod';
import { estimateSchema } from './answers.js';
import { nothing, notificationType, requestType } from './messageTypes.js';

/** An incomplete run file; validated by the engine, not here. */
export const draftSchema = z.record(z.string(), z.unknown());
export type Draft = z.infer<typeof draftSchema>;

export const modelChoiceSchema = z.object({
  /** The value in the run file. */
  id: z.string(),
  /** Its source, as a heading: Embedded, Pulled, Ollama ... */
  group: z.string(),
  detail: z.string(),
});
export type ModelChoice = z.infer<typeof modelChoiceSchema>;

export const datasetChoiceSchema = z.object({ path: z.string(), label: z.string(), group: z.string() });
export type DatasetChoice = z.infer<typeof datasetChoiceSchema>;

export const choicesSchema = z.object({
  models: z.array(modelChoiceSchema),
  datasets: z.array(datasetChoiceSchema),
});
export type Choices = z.infer<typeof choicesSchema>;

/** A problem of the draft. */
export const problemSchema = z.object({
  /** The key with dots; null if it concerns no single key. */
  field: z.string().nullable(),
  message: z.string(),
  /** Whether a start solves it, as that of a model that is not on this machine yet. */
  solved_by_start: z.boolean().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

const shownDraftSchema = z.object({
  draft: draftSchema,
  /** Run file from which it was read, or to which it was last written. */
  runFile: z.string().nullable(),
});

export const panelStateSchema = z.object({
  /** JSON schema of the run file. */
  schema: z.record(z.string(), z.unknown()),
  /** False in Restricted Mode: nothing is executed, so nothing is estimated or started. */
  trusted: z.boolean(),
  choices: choicesSchema,
  shown: shownDraftSchema,
});
export type PanelState = z.infer<typeof panelStateSchema>;

export const modelFactsSchema = z.object({
  reference: z.string(),
  modelType: z.string(),
  parameters: z.int(),
  contextLength: z.int(),
  /** Kinds of linear modules that LoRA can adapt, each with the shape of its weight and how often it occurs. */
  matrices: z.array(z.object({ name: z.string(), outFeatures: z.int(), inFeatures: z.int(), count: z.int() })),
  /** The modules that `target_modules: null` selects. */
  loraTargets: z.array(z.string()),
});
export type ModelFacts = z.infer<typeof modelFactsSchema>;

/** The requested value, or the problem with the draft. */
const orProblem = <T extends z.ZodType>(schema: T) =>
  z.union([
    z.object({ ok: z.literal(true), value: schema }),
    z.object({ ok: z.literal(false), problem: problemSchema }),
  ]);
export type OrProblem<T> = { ok: true; value: T } | { ok: false; problem: Problem };

/** Webview to host: the initial state of the panel. */
export const openPanel = requestType('runPanel/open', nothing, panelStateSchema);

/** Host to webview: the available models or datasets changed. */
export const choicesChanged = notificationType('runPanel/choices', choicesSchema);

/** Host to webview: show this draft (a run file was opened, a dataset was chosen elsewhere). */
export const draftShown = notificationType('runPanel/show', shownDraftSchema);

/** Host to webview: the workspace is trusted now. */
export const trustGranted = notificationType('runPanel/trusted', nothing);

/** Webview to host: the current draft, for commands that act on it and to restore the panel. */
export const draftChanged = notificationType('runPanel/draft', draftSchema);

export const pickableSchema = z.enum(['model_folder', 'model_file', 'model_id', 'dataset', 'validation', 'adapter']);
export type Pickable = z.infer<typeof pickableSchema>;

/** Webview to host: let the user choose; null: the user cancelled. */
export const pick = requestType('runPanel/pick', pickableSchema, z.string().nullable());

/** What the user has chosen; null: not yet. */
const runChoiceSchema = z.object({
  model: z.string().nullable(),
  train: z.string().nullable(),
  peft_type: z.string(),
});

/** Webview to host: the whole run that is proposed for these choices. */
export const propose = requestType('runPanel/propose', runChoiceSchema, draftSchema);

export const inspectModel = requestType('runPanel/inspectModel', z.string(), orProblem(modelFactsSchema));

export const estimateDraft = requestType('runPanel/estimate', draftSchema, orProblem(estimateSchema));

/** Webview to host: start the run; the value is its folder, null if the user cancelled. */
export const startDraft = requestType('runPanel/start', draftSchema, orProblem(z.string().nullable()));
