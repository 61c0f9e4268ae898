// The engine's answers, limited to the fields that the extension uses: printed by commands with --json, and results of the
// resident engine (residentMessages.ts). An answer may have more fields.
import * as z from 'zod';
import { memoryPartsSchema } from './engineEvent.js';

export const methodEstimateSchema = z.object({
  peft_type: z.string(),
  trainable_parameters: z.int(),
  total_parameters: z.int(),
  share: z.number(),
  memory: memoryPartsSchema,
  /** On this machine; null if its speed isn't known. */
  seconds_per_step: z.number().nullable(),
  /** Of the whole run; null also if its rows can't be counted. */
  train_seconds: z.number().nullable(),
});
export type MethodEstimate = z.infer<typeof methodEstimateSchema>;

export const estimateSchema = z.object({
  run: methodEstimateSchema,
  /** The other methods with their defaults; `reason`: why a method can't be used with the model. */
  methods: z.array(z.union([methodEstimateSchema, z.object({ peft_type: z.string(), reason: z.string() })])),
  /** The peft_type with which the others are compared: the method that trains the whole model. */
  baseline: z.string(),
  inference_bytes: z.number(),
  /** On this machine; null for a run on a cluster. */
  available_bytes: z.number().nullable(),
  /** The workers of a cluster, each of which takes the memory; null: the run is trained on this machine. */
  workers: z.int().nullable().default(null),
  /** Names of the method block that match nothing in the model, by key of the run file. */
  unmatched: z.array(z.object({ key: z.string(), message: z.string() })).default([]),
  /** Optimizer steps of the run; null if its rows can't be counted. */
  total_steps: z.int().nullable(),
});
export type EstimateAnswer = z.infer<typeof estimateSchema>;

/** Properties that all batches of a run depend on. */
export const runShapeSchema = z.object({
  max_length: z.int().describe('Longest row in tokens: that of the run file, limited by model and method'),
});
export type RunShapeAnswer = z.infer<typeof runShapeSchema>;

/** `inspect MODEL`. */
export const modelInspectionSchema = z.object({
  reference: z.string(),
  modelType: z.string(),
  parameters: z.int(),
  contextLength: z.int(),
  readsTools: z.boolean(),
  defaultTargets: z.object({ lora: z.array(z.string()) }),
  tensors: z.array(z.object({ name: z.string(), shape: z.array(z.int()), count: z.int() })),
});
export type ModelInspection = z.infer<typeof modelInspectionSchema>;

/** `describe`: methods with their options, families, formats. */
export const capabilitiesSchema = z.record(z.string(), z.unknown());
export type EngineCapabilities = z.infer<typeof capabilitiesSchema>;

const comparisonSchema = z.object({
  a: z.string(),
  b: z.string(),
  /** Rows that only `a` passes. */
  wins: z.int(),
  /** Rows that only `b` passes. */
  losses: z.int(),
  ties: z.int(),
  /** Of McNemar's exact test of wins and losses. */
  p_value: z.number(),
  /** 95% interval of the mean of a's scores minus b's. */
  interval: z.tuple([z.number(), z.number()]),
});
export type ModelComparison = z.infer<typeof comparisonSchema>;

/** `evaluate --suite`. */
export const evaluationReportSchema = z.object({
  /** By name; `base` is the model without an adapter. */
  models: z.record(
    z.string(),
    z.object({
      passed: z.int(),
      total: z.int(),
      /** Mean over the rows of the mean over the row's checks, 0 to 1. */
      score: z.number(),
      rows: z.array(
        z.object({
          id: z.string(),
          passed: z.boolean(),
          answer: z.string(),
          checks: z.array(z.object({ type: z.string(), passed: z.boolean(), score: z.number() })),
        }),
      ),
    }),
  ),
  comparisons: z.array(comparisonSchema),
});
export type EvaluationReport = z.infer<typeof evaluationReportSchema>;

/** A model of a run: its result, its base, or a checkpoint. */
const runModelSchema = z.object({
  folder: z.string(),
  kind: z.enum(['result', 'base', 'checkpoint']),
  step: z.int().nullable(),
});
export type RunModel = z.infer<typeof runModelSchema>;

/** What models of runs answered to the same rows, by suite. */
export const suiteResultsSchema = z.array(
  z.object({
    /** Path of the suite. */
    file: z.string(),
    models: z.array(z.object({ model: runModelSchema, passed: z.int(), total: z.int(), score: z.number() })),
    /** Of a run's models with each other, and of the results of runs. */
    comparisons: z.array(comparisonSchema.extend({ a: runModelSchema, b: runModelSchema })),
  }),
);
export type SuiteResults = z.infer<typeof suiteResultsSchema>;

/** Losses of the tokens of a row, in its text. */
export const evaluatedRowSchema = z.object({
  file: z.string(),
  line: z.int().positive(),
  /** Among the rows that were evaluated; several may be on one line. */
  row: z.int().nonnegative(),
  /** Mean over the label tokens. */
  loss: z.number(),
  /** The label tokens. */
  tokens: z.array(z.string()),
  token_ids: z.array(z.int()),
  losses: z.array(z.number()),
  /** What is between them, without a loss; `at`: how many label tokens are before it. */
  masked: z.array(z.object({ at: z.int(), text: z.string() })),
});

/** A generated answer to a row. */
export const scoredAnswerSchema = z.object({
  row: z.int().nonnegative(),
  line: z.int().positive(),
  answer: z.string(),
  expected: z.string(),
  /** By name, 0 to 1. */
  metrics: z.record(z.string(), z.number()),
});

/** Means over a dataset; those of answers are absent if the model wasn't asked. */
export const datasetScoresSchema = z.object({
  loss: z.number(),
  perplexity: z.number(),
  token_accuracy: z.number(),
  rouge1: z.number().optional(),
  rouge2: z.number().optional(),
  rougeL: z.number().optional(),
  exact_match: z.number().optional(),
  num_label_tokens: z.int(),
  rows: z.int(),
});

/** `evaluate --dataset --worst`. */
export const datasetReportSchema = datasetScoresSchema.extend({
  worst: z.array(evaluatedRowSchema),
  answers: z.array(scoredAnswerSchema).default([]),
});
export type DatasetReport = z.infer<typeof datasetReportSchema>;
