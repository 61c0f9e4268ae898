// Events of a run, one JSON object per line: in `events.ndjson` of the run folder and, with --json, on standard output.
// `seq` increases by one per event and continues after a resume; `time` is ISO 8601.
import * as z from 'zod';
import { verdictSchema } from './certificate.js';
import { engineErrorSchema, errorCodeSchema } from './engineError.js';
import { exportedSchema } from './exportAnswers.js';

const stamp = {
  seq: z.int().nonnegative(),
  time: z.iso.datetime(),
  job_message: z.int().nonnegative().optional().describe('Of a run on a cluster: number of the job’s message'),
};
const bytes = z.number().nonnegative();

/** Memory of a run by part, in bytes. */
export const memoryPartsSchema = z.object({
  weights: bytes,
  gradients: bytes,
  optimizer: bytes,
  activations: bytes,
  temporary: bytes,
  total: bytes,
});

/**
 * Version of a run folder's events and checkpoints. Folders of older versions stay readable: missing fields are filled in here and
 * in core/runs/version0.ts.
 */
export const RUN_FOLDER_VERSION = 2;

/** A metric of evaluation in addition to the loss. */
export const metricInfoSchema = z.object({
  name: z.string(),
  title: z.string(),
  better: z.enum(['lower', 'higher']),
  unit: z.enum(['number', 'share']).describe('share: from 0 to 1, shown as percent'),
  follows_loss: z.boolean().describe('A function of the loss, such as perplexity, which needs no curve of its own'),
});
export type MetricInfo = z.infer<typeof metricInfoSchema>;

export const startedEventSchema = z.object({
  ...stamp,
  type: z.literal('started'),
  version: z.int().default(0).describe('Version of the run folder; 0 if absent'),
  objective: z.string().default('causal_lm'),
  metrics: z.array(metricInfoSchema).default([]).describe('Describes the metrics of `evaluated` events'),
  metric_for_best_model: z.string().default('loss').describe('One of them, or `loss`'),
  name: z.string(),
  engine: z.object({
    version: z.string(),
    backend: z.enum(['tensorflow', 'webgpu', 'wasm', 'ray']),
    library: z.string().describe('TensorFlow’s version, or that of tfjs’s backend'),
    device: z.string(),
    threads: z.int(),
    reason: z.string().optional().describe('Why `auto` chose the backend, where both a CPU and a GPU could be used'),
  }),
  model: z.string(),
  peft_type: z.string(),
  trainable_parameters: z.int(),
  total_parameters: z.int(),
  train_rows: z.int(),
  validation_rows: z.int(),
  dataset_hash: z.string().optional().describe('SHA-256 of the training file'),
  total_steps: z.int(),
  resumed_from_step: z.int(),
  memory_estimate: memoryPartsSchema,
});

export const stepEventSchema = z.object({
  ...stamp,
  type: z.literal('step'),
  step: z.int(),
  epoch: z.number(),
  loss: z.number(),
  grad_norm: z.number(),
  learning_rate: z.number().describe('The rate that this step used'),
  num_tokens: z.int().describe('Tokens seen since the run began, without padding'),
  tokens_per_second: z.number(),
  step_ms: z.number(),
  rss_bytes: bytes.describe('On a cluster: of the worker with the most'),
  gpu_bytes: bytes
    .optional()
    .describe('Held in buffers on the GPU; absent where the backend doesn’t say, as TensorFlow'),
  workers: z
    .array(z.object({ tokens_per_second: z.number(), rss_bytes: bytes, gpu_bytes: bytes.optional() }))
    .optional()
    .describe('On a cluster: of each worker, by rank'),
});

const resourcesSchema = z.record(z.string(), z.number()).describe('CPU, GPU, memory (bytes)');

export const queuedEventSchema = z.object({
  ...stamp,
  type: z.literal('queued'),
  wanted: resourcesSchema,
  available: resourcesSchema,
  total: resourcesSchema,
  nodes: z.int(),
});

export const workersEventSchema = z.object({
  ...stamp,
  type: z.literal('workers'),
  workers: z.array(z.object({ rank: z.int(), node: z.string(), device: z.string(), threads: z.int() })),
  strategy: z.enum(['ddp', 'fsdp']).nullable().describe('null: a single worker'),
  restarts: z.int().describe('How often workers were lost and started again'),
});

export const evaluatedEventSchema = z.object({
  ...stamp,
  type: z.literal('evaluated'),
  step: z.int(),
  loss: z.number(),
  metrics: z.record(z.string(), z.number()).default({}).describe('Metrics in addition to the loss, by name'),
  perplexity: z.number().optional().describe('Only in version 0, like token_accuracy'),
  token_accuracy: z.number().optional(),
  num_label_tokens: z.int(),
  best: z.boolean().describe('By metric_for_best_model, the best so far'),
  eval_ms: z.number(),
  cached: z.literal(true).optional().describe('Measured by another run on the same base and rows, and not again'),
});

export const sampleEventSchema = z.object({
  ...stamp,
  type: z.literal('sample'),
  step: z.int().describe('0: before training'),
  prompt: z.string(),
  text: z.string(),
});

export const checkpointSavedEventSchema = z.object({
  ...stamp,
  type: z.literal('checkpoint_saved'),
  step: z.int(),
  path: z.string().describe('Relative to the run folder'),
  best: z.boolean(),
});

export const warnedEventSchema = z.object({
  ...stamp,
  type: z.literal('warned'),
  code: z.string().describe('Stable code, such as rows_truncated'),
  message: z.string(),
});

export const compiledEventSchema = z.object({
  ...stamp,
  type: z.literal('compiled'),
  graphs: z.int().describe('Graphs compiled so far, one per batch shape'),
  nodes: z.int(),
  compile_ms: z.number(),
});

export const frozenLayersKeptEventSchema = z.object({
  ...stamp,
  type: z.literal('frozen_layers_kept'),
  layers: z.int().describe('Number of first layers whose output is computed once per row and reused in later epochs'),
  bytes,
  on_disk: z.boolean(),
});

export const pausedEventSchema = z.object({ ...stamp, type: z.literal('paused'), step: z.int() });

export const resumedEventSchema = z.object({ ...stamp, type: z.literal('resumed'), step: z.int() });

export const completedEventSchema = z.object({
  ...stamp,
  type: z.literal('completed'),
  reason: z.enum(['finished', 'early_stopping', 'time_limit', 'stopped']),
  step: z.int(),
  train_seconds: z.number(),
  best_step: z.int().nullable(),
  best_loss: z.number().nullable().describe('The validation loss at best_step'),
  best_metric: z
    .number()
    .nullable()
    .default(null)
    .describe('The value of metric_for_best_model there; null in older run folders'),
  adapter: z.string().describe('Relative to the run folder'),
  peak_rss_bytes: bytes,
});

export const failedEventSchema = z.object({
  ...stamp,
  type: z.literal('failed'),
  step: z.int(),
  ...engineErrorSchema.shape,
  code: errorCodeSchema.optional().catch('internal').describe('Absent in older run folders'),
  last_checkpoint: z.string().nullable(),
});

export const exportingEventSchema = z.object({
  ...stamp,
  type: z.literal('exporting'),
  target: z.string().describe('One of the run file’s exports is being written'),
  path: z.string().nullable().describe('Where; null: elsewhere, such as in another program'),
});

export const exportedEventSchema = z.object({
  ...stamp,
  type: z.literal('exported'),
  ...exportedSchema.omit({ certificate: true }).shape,
  verdict: verdictSchema.nullable().describe('Of its certificate; null: it has none'),
  certificate: z.string().nullable().describe('File; null: there is no place for it'),
  entry: z.looseObject({ target: z.string() }).describe('As in the run file'),
});

export const exportFailedEventSchema = z.object({
  ...stamp,
  type: z.literal('export_failed'),
  target: z.string().describe('It could not be written; the result of the run is complete'),
  ...engineErrorSchema.shape,
});

export const engineEventSchema = z.discriminatedUnion('type', [
  startedEventSchema,
  stepEventSchema,
  queuedEventSchema,
  workersEventSchema,
  evaluatedEventSchema,
  sampleEventSchema,
  checkpointSavedEventSchema,
  warnedEventSchema,
  compiledEventSchema,
  frozenLayersKeptEventSchema,
  pausedEventSchema,
  resumedEventSchema,
  completedEventSchema,
  failedEventSchema,
  exportingEventSchema,
  exportedEventSchema,
  exportFailedEventSchema,
]);

export type EngineEvent = z.infer<typeof engineEventSchema>;
export type MemoryParts = z.infer<typeof memoryPartsSchema>;
/** An event before the writer adds `seq` and `time`. */
export type EngineEventBody = EngineEvent extends infer E
  ? E extends EngineEvent
    ? Omit<E, 'seq' | 'time'>
    : never
  : never;
