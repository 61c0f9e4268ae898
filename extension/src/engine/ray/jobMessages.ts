// What the program on a cluster (extension/python/train_on_ray.py) says, one JSON object a line of its job's log, each after PREFIX.
import * as z from 'zod';
import {
  evaluatedEventSchema,
  queuedEventSchema,
  stepEventSchema,
  workersEventSchema,
} from '../../protocol/engineEvent.js';

export const PREFIX = 'TUNEWRIGHT ';

const stamp = { n: z.int().nonnegative().describe('Number of the message, from 0') };
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What the workers know of TrainerState. */
const stateSchema = z.object({
  step: z.int().nonnegative(),
  num_tokens: z.int().nonnegative(),
  best_step: z.int().nonnegative().nullable(),
  best_loss: z.number().nonnegative().nullable(),
  best_metric: z.number().nullable(),
  initial_loss: z.number().nullable(),
  initial_metric: z.number().nullable(),
  evaluated: z.object({ loss: z.number(), metric: z.number() }).nullable(),
  evaluations_without_improvement: z.int().nonnegative(),
  train_seconds: z.number().nonnegative(),
});
export type JobState = z.infer<typeof stateSchema>;

/** Files of a checkpoint are beside each other in one folder. */
const NAME = /^[\w-]+\.safetensors$/;

export const jobMessageSchema = z.discriminatedUnion('type', [
  z.object({
    ...stamp,
    type: z.literal('hello'),
    ray: z.string(),
    python: z.string(),
    packages: z.record(z.string(), z.string().nullable()),
  }),
  z.object({ ...stamp, type: z.literal('wants'), parts: z.array(sha256) }),
  z.object({ ...stamp, ...queuedEventSchema.omit({ seq: true, time: true }).shape }),
  z.object({
    ...stamp,
    ...workersEventSchema.omit({ seq: true, time: true }).shape,
    step: z.int().nonnegative(),
    trainable_parameters: z.int(),
    total_parameters: z.int(),
    torch: z.string(),
  }),
  z.object({
    ...stamp,
    ...stepEventSchema.omit({ seq: true, time: true, epoch: true, rss_bytes: true, workers: true }).shape,
    workers: stepEventSchema.shape.workers.unwrap().min(1),
  }),
  z.object({ ...stamp, ...evaluatedEventSchema.omit({ seq: true, time: true }).shape }),
  z.object({
    ...stamp,
    type: z.literal('sample'),
    step: z.int(),
    prompt: z.string(),
    ids: z.array(z.int().nonnegative()),
  }),
  z.object({ ...stamp, type: z.literal('paused'), step: z.int() }),
  z.object({ ...stamp, type: z.literal('resumed'), step: z.int() }),
  z.object({
    ...stamp,
    type: z.literal('piece'),
    path: z.string().regex(/^step-\d+\/[\w-]+\.safetensors$/),
    offset: z.int().nonnegative(),
    data: z.base64(),
  }),
  z.object({
    ...stamp,
    type: z.literal('checkpoint'),
    state: stateSchema,
    shared: z.boolean().describe('The files are in storage_path, which this machine reads too'),
    files: z.record(z.string().regex(NAME), z.object({ bytes: z.int().nonnegative(), sha256 })),
  }),
  z.object({
    ...stamp,
    type: z.literal('completed'),
    reason: z.enum(['finished', 'early_stopping', 'time_limit', 'stopped']),
    state: stateSchema,
  }),
  z.object({ ...stamp, type: z.literal('cancelled') }),
  z.object({
    ...stamp,
    type: z.literal('failed'),
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable().optional(),
    step: z.int().optional(),
  }),
]);
export type JobMessage = z.infer<typeof jobMessageSchema>;
export type JobMessageOf<T extends JobMessage['type']> = Extract<JobMessage, { type: T }>;

/** After one of these, nothing follows. */
export const LAST_MESSAGES: readonly JobMessage['type'][] = ['completed', 'cancelled', 'failed'];

/** The message in a line of a log; null: a line for people, or a message that this version doesn't know. */
export function messageIn(line: string): JobMessage | null {
  if (!line.startsWith(PREFIX)) return null;
  try {
    return jobMessageSchema.parse(JSON.parse(line.slice(PREFIX.length)));
  } catch {
    return null;
  }
}
