// What the engine answers, as far as it is used: printed by its commands with --json, and as results of the resident engine
// (residentMessages.ts). More may be in it.
import * as z from 'zod';
import { memoryPartsSchema } from './engineEvent.js';

export const methodEstimateSchema = z.object({
  peft_type: z.string(),
  trainable_parameters: z.int(),
  total_parameters: z.int(),
  share: z.number(),
  memory: memoryPartsSchema,
  /** On this machine; null where its speed isn't known. */
  seconds_per_step: z.number().nullable(),
  /** Of the whole run; null also where its rows can't be counted. */
  train_seconds: z.number().nullable(),
});
export type MethodEstimate = z.infer<typeof methodEstimateSchema>;

export const estimateSchema = z.object({
  run: methodEstimateSchema,
  /** The other methods with their defaults; `reason`: why one doesn't fit the model. */
  methods: z.array(z.union([methodEstimateSchema, z.object({ peft_type: z.string(), reason: z.string() })])),
  /** The peft_type that the others are compared with: all of the model is trained. */
  baseline: z.string(),
  inference_bytes: z.number(),
  available_bytes: z.number(),
  /** Optimizer steps of the run; null where its rows can't be counted. */
  total_steps: z.int().nullable(),
});
export type EstimateAnswer = z.infer<typeof estimateSchema>;

/** What all batches of a run follow from. */
export const runShapeSchema = z.object({
  max_length: z
    .int()
    .describe('Where rows end, in tokens: that of the run file, as far as model and method leave room'),
});
export type RunShapeAnswer = z.infer<typeof runShapeSchema>;

/** `inspect MODEL`. */
export const modelInspectionSchema = z.object({
  reference: z.string(),
  modelType: z.string(),
  parameters: z.int(),
  contextLength: z.int(),
  defaultTargets: z.object({ lora: z.array(z.string()) }),
  tensors: z.array(z.object({ name: z.string(), shape: z.array(z.int()), count: z.int() })),
});
export type ModelInspection = z.infer<typeof modelInspectionSchema>;

/** `describe`: methods with their options, families, formats. */
export const capabilitiesSchema = z.record(z.string(), z.unknown());
export type EngineCapabilities = z.infer<typeof capabilitiesSchema>;
