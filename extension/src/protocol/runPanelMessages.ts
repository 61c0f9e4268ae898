// Messages between the sidebar's run panel (webview/src/runPanel) and its provider (host/webviews). A draft is an incomplete run
// file: keys at their default are left out. Its paths are absolute, or relative to the workspace where the user typed them.
import * as z from 'zod';
import { estimateSchema } from './answers.js';
import { clustersSchema } from './clusters.js';
import { nothing, notificationType, requestType } from './messageTypes.js';

/** An incomplete run file; validated by the engine, not here. */
export const draftSchema = z.record(z.string(), z.unknown());
export type Draft = z.infer<typeof draftSchema>;

export const modelChoiceSchema = z.object({
  /** The value in the run file. */
  id: z.string(),
  label: z.string(),
  /** Its source, as a heading: Embedded, Pulled, Ollama ... */
  group: z.string(),
  detail: z.string(),
});

export const datasetChoiceSchema = z.object({ path: z.string(), label: z.string(), group: z.string() });
export type DatasetChoice = z.infer<typeof datasetChoiceSchema>;

export const choicesSchema = z.object({
  models: z.array(modelChoiceSchema),
  datasets: z.array(datasetChoiceSchema),
  /** Of the settings. */
  clusters: clustersSchema,
});
export type Choices = z.infer<typeof choicesSchema>;

/** A problem of the draft. */
export const problemSchema = z.object({
  /** The key with dots; null if it concerns no single key. */
  field: z.string().nullable(),
  message: z.string(),
  /** Of a model that is not on this machine yet: its ID. It can be pulled, and a start pulls it, too. */
  pull: z.string().optional(),
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

export const pickableSchema = z.enum([
  'model_folder',
  'model_file',
  'model_id',
  'dataset',
  'validation',
  'adapter',
  'cluster',
]);
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

const datasetNoteSchema = z.object({ text: z.string(), line: z.int().nullable() });

/** As core/data/datasetFacts.ts. */
export const datasetFactsSchema = z.object({
  summary: z.string(),
  notes: z.array(datasetNoteSchema),
  end: datasetNoteSchema.nullable(),
});
export const trainingDataSchema = z.object({ train: datasetFactsSchema, validation: datasetFactsSchema.nullable() });
export type TrainingData = z.infer<typeof trainingDataSchema>;

/** Webview to host: what the files of the draft hold, read as its run would; null: there is nothing to read. */
export const describeData = requestType('runPanel/describeData', draftSchema, trainingDataSchema.nullable());

/** Host to webview: the training or validation file has changed. */
export const dataChanged = notificationType('runPanel/dataChanged', nothing);

/** Webview to host: open the file at this line. */
export const openData = notificationType('runPanel/openData', z.object({ path: z.string(), line: z.int() }));

/** Webview to host: pull the model; the value says whether it is on this machine now. */
export const pullModel = requestType('runPanel/pullModel', z.string(), z.boolean());

const gpuSchema = z.object({
  index: z.int(),
  name: z.string(),
  type: z.enum(['gpu', 'software']),
  /** Bytes. */
  largest_buffer: z.number(),
});

/** Webview to host: the GPUs that WebGPU can use. */
export const listGpus = requestType('runPanel/listGpus', nothing, z.array(gpuSchema));

export const estimateDraft = requestType('runPanel/estimate', draftSchema, orProblem(estimateSchema));

/** Webview to host: start the run; the value is its folder, null if the user cancelled. */
export const startDraft = requestType('runPanel/start', draftSchema, orProblem(z.string().nullable()));
