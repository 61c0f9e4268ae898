// What `tunewright rows` and `tunewright quarantine` answer with --json, for the command line's users and the dashboard alike.
import * as z from 'zod';

const loss = z.number().nullable();

/** A row of a run's training file. Losses are means over its label tokens; null: not measured. */
export const rowLossesSchema = z.object({
  line: z.int(),
  hash: z.string().describe('What a quarantine file calls it'),
  text: z.string().describe('Its beginning'),
  label_tokens: z.int(),
  then: loss.describe('In the step that trained on it, with dropout and before the update; only with --step'),
  before: loss.describe('Under the base model'),
  now: loss.describe('Under the result of the run, or its last checkpoint'),
  quarantined: z.boolean().describe('The quarantine file has it now'),
});
export type RowLosses = z.infer<typeof rowLossesSchema>;

export const rowOrderSchema = z.enum(['suspect', 'highest', 'lowest', 'changed']);
export type RowOrder = z.infer<typeof rowOrderSchema>;

const runRows = {
  run: z.string().describe('Folder of the run'),
  file: z.string().describe('The training file'),
  quarantine: z.string().describe('Its quarantine file, which may not exist'),
  weights: z
    .string()
    .nullable()
    .describe('What `now` is measured with, relative to the run folder; null: not measured'),
};

/** The rows of one step. */
export const stepRowsSchema = z.object({
  ...runRows,
  step: z.int(),
  epoch: z.int().describe('Counted from 1'),
  rows: z.array(rowLossesSchema.extend({ micro_batch: z.int(), sequence: z.int() })),
});
export type StepRows = z.infer<typeof stepRowsSchema>;

/** The rows of a run in an order. */
export const rankedRowsSchema = z.object({
  ...runRows,
  by: rowOrderSchema,
  measured: z.int().describe('Rows that the run was trained on'),
  rows: z.array(rowLossesSchema),
});
export type RankedRows = z.infer<typeof rankedRowsSchema>;

/** A quarantine file, and the rows of its dataset now. */
export const quarantineAnswerSchema = z.object({
  file: z.string(),
  dataset: z.string(),
  rows: z.array(
    z.object({
      hash: z.string(),
      line: z.int().describe('Where it was when it was put there'),
      lines: z.array(z.int()).describe('Where it is now; empty if no row says this any more'),
      text: z.string(),
    }),
  ),
});
export type QuarantineAnswer = z.infer<typeof quarantineAnswerSchema>;
