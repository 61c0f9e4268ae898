// The race file: one run file, what varies, and the seeds. Zod schema only. What an entry changes is checked by the schemas of the
// run file and of its method, once the two are combined (core/race/expandRace.ts).
import * as z from 'zod';
import { about } from './about.js';
import { MAX_STEPS } from './runConfig.js';

/** Names are shown in charts and become folders. */
export const MAX_ENTRY_NAME = 60;

/** Of all entries with all seeds: a grid of some keys can have more than fit into memory. */
export const MAX_RACE_RUNS = 1000;

/** Each has a process on this machine, also if a cluster trains. */
const MAX_PARALLEL = 64;

const name = z.string().trim().min(1);
const block = z.record(z.string(), z.unknown());

export const raceEntrySchema = z.strictObject({
  name: name
    .max(MAX_ENTRY_NAME)
    .optional()
    .meta(about('Name', 'Name of the entry in tables and charts; by default made of what it changes')),
  method: block
    .optional()
    .meta(
      about(
        'Method',
        'Changed keys of the run file’s method block; another peft_type replaces the whole block, with its own defaults',
      ),
    ),
  training: block.optional().meta(about('Training', 'Changed keys of the run file’s training block')),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .optional()
    .meta(
      about(
        'Grid',
        'An entry for each combination of values: {"method.r": [4, 8], "training.learning_rate": [1e-3, 5e-3]}',
      ),
    ),
});

export const raceBudgetSchema = z
  .strictObject({
    max_steps: z.int().positive().max(MAX_STEPS).optional().meta(about('Steps', 'Optimizer steps of each entry')),
    tokens: z
      .int()
      .positive()
      .optional()
      .meta(about('Tokens', 'Each entry ends with the step in which it has seen this number of tokens of the rows')),
    minutes: z
      .number()
      .positive()
      .optional()
      .meta(about('Minutes', 'Each entry ends after this time in training steps, or earlier with its epochs')),
  })
  .refine(budget => Object.keys(budget).length === 1, 'must have exactly one of max_steps, tokens and minutes');

export const raceConfigSchema = z.strictObject({
  $schema: z.string().optional(),
  name: name.default('race').meta(about('Name', 'Name of the race')),
  run: z
    .union([z.string().min(1), block])
    .meta(about('Run', 'The run that is varied: a run file relative to the race file, or its content')),
  vary: z.array(raceEntrySchema).min(1).meta(about('Vary', 'The entries: what each changes in the run file')),
  seeds: z
    .array(z.int().nonnegative())
    .min(1)
    .optional()
    .meta(about('Seeds', 'Each entry is trained once with each seed; by default only with that of the run file')),
  budget: raceBudgetSchema
    .optional()
    .meta(
      about(
        'Budget',
        'How long each entry trains: one of max_steps, tokens and minutes; by default as the run file says',
      ),
    ),
  parallel: z
    .int()
    .positive()
    .max(MAX_PARALLEL)
    .optional()
    .meta(about('Parallel', 'Runs that train at the same time; by default 2 on a Ray cluster, 1 on this machine')),
});

/** How many runs of a race train at the same time. */
export function parallelRuns({ parallel }: Pick<RaceConfig, 'parallel'>, isOnCluster: boolean): number {
  return parallel ?? (isOnCluster ? 2 : 1);
}

export type RaceConfig = z.infer<typeof raceConfigSchema>;
export type RaceBudget = z.infer<typeof raceBudgetSchema>;
export type RaceVariation = z.infer<typeof raceEntrySchema>;

/** An entry in the last line of `race --json`; figures that it doesn't have are null. */
export interface RaceResult {
  name: string;
  seed: number;
  /** Path of the run folder. */
  run: string;
  status: 'waiting' | 'running' | 'interrupted' | 'finished' | 'failed';
  trainable_parameters: number | null;
  validation_loss: number | null;
  /** Of an evaluation suite, from 0 to 1. */
  score: number | null;
  peak_rss_bytes: number | null;
  train_seconds: number | null;
  /** Of the weights that were kept, on general text, as the validation loss; null if forgetting wasn't measured. */
  kl_from_base: number | null;
  general_loss: number | null;
}
