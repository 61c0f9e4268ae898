// Messages between the page of an evaluation on a dataset (webview/src/evaluation) and its provider (host/webviews). What happens is
// sent as complete snapshots; the page keeps the last one, which is all there is of a result.
import * as z from 'zod';
import { evaluatedRowSchema, scoredAnswerSchema, datasetScoresSchema } from './answers.js';
import { nothing, notificationType, requestType } from './messageTypes.js';

/** What was asked for; enough to ask again. */
export const evaluationTargetSchema = z.object({
  run: z.string().describe('Folder'),
  step: z.int().nullable().describe('Of a checkpoint; null: the result'),
  dataset: z.string().describe('Path'),
  answers: z.boolean().describe('Whether the model answers the rows, for ROUGE and exact match'),
});
export type EvaluationTarget = z.infer<typeof evaluationTargetSchema>;

export const evaluationFailureSchema = z.object({
  message: z.string(),
  hint: z.string().nullable(),
  /** Where the problem is, as far as the engine knows. */
  file: z.string().nullable(),
  line: z.int().positive().nullable(),
});
export type EvaluationFailure = z.infer<typeof evaluationFailureSchema>;

export const evaluationResultSchema = z.object({
  scores: datasetScoresSchema,
  /** How many rows the model answered, and with exactly the expected text. */
  answered: z.int(),
  exact: z.int(),
  /** Highest loss first; `answer` is null if it wasn't asked. */
  worst: z.array(evaluatedRowSchema.extend({ answer: scoredAnswerSchema.nullable() })),
  warnings: z.array(z.string()),
  /** When it ended. */
  time: z.string(),
});
export type EvaluationResult = z.infer<typeof evaluationResultSchema>;
export type WorstRow = EvaluationResult['worst'][number];

export const evaluationSnapshotSchema = z.object({
  target: evaluationTargetSchema,
  /** The model's name. */
  name: z.string(),
  state: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('running'), phase: z.string().nullable(), share: z.number().nullable() }),
    z.object({ kind: z.literal('cancelled') }),
    z.object({ kind: z.literal('failed'), failure: evaluationFailureSchema }),
    z.object({ kind: z.literal('completed'), result: evaluationResultSchema }),
  ]),
});
export type EvaluationSnapshot = z.infer<typeof evaluationSnapshotSchema>;
export type EvaluationState = EvaluationSnapshot['state'];

/** Webview to host: what to show; sent once when the view opens. */
export const openEvaluation = requestType('evaluation/open', nothing, evaluationSnapshotSchema);

/** Host to webview: something changed. */
export const evaluationChanged = notificationType('evaluation/changed', evaluationSnapshotSchema);

/** Webview to host: evaluate again, after it has ended. */
export const evaluateAgain = notificationType('evaluation/again', nothing);

export const cancelEvaluation = notificationType('evaluation/cancel', nothing);

/** Webview to host: open a row, or the place of a problem, in its own editor. */
export const openEvaluated = notificationType(
  'evaluation/open-place',
  z.object({ file: z.string(), line: z.int().positive().nullable() }),
);
