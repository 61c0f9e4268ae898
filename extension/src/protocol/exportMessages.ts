// Messages between the page of an export (webview/src/export) and its provider (host/exports). What happens is sent as complete
// snapshots; the page keeps the last one.
import * as z from 'zod';
import { evaluationFailureSchema } from './evaluationMessages.js';
import { exportedSchema, exportPlanSchema, exportTargetFactsSchema } from './exportAnswers.js';
import { nothing, notificationType, requestType } from './messageTypes.js';

/** What is exported. */
export const exportSubjectSchema = z.object({
  name: z.string(),
  /** Such as the method and the base. */
  about: z.string(),
  /** Base; null: the one that the first adapter names. */
  model: z.string().nullable(),
  /** Folders. */
  adapters: z.array(z.string()),
});
export type ExportSubject = z.infer<typeof exportSubjectSchema>;

/** What was chosen last; kept for the workspace. */
export const exportChoiceSchema = z.object({
  target: z.string(),
  /** As in a run file, without `target`; a key at its default is omitted. */
  options: z.record(z.string(), z.unknown()),
});
export type ExportChoice = z.infer<typeof exportChoiceSchema>;

const cardSchema = z.object({
  ...exportTargetFactsSchema.shape,
  /** What it would take with its options; null: not known yet, or it can't be done. */
  plan: exportPlanSchema.nullable(),
  /** Why it can't be done. */
  refused: evaluationFailureSchema.nullable(),
});
export type ExportCard = z.infer<typeof cardSchema>;

/** Whether it is always written to the same place, such as another program's folder. */
export function hasOwnPlace({ schema }: Pick<ExportCard, 'schema'>): boolean {
  return !('out' in ((schema['properties'] ?? {}) as object));
}

const stateSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('choosing') }),
  z.object({ kind: z.literal('running'), phase: z.string().nullable(), share: z.number().nullable() }),
  z.object({ kind: z.literal('cancelled') }),
  z.object({ kind: z.literal('failed'), failure: evaluationFailureSchema }),
  z.object({
    kind: z.literal('completed'),
    title: z.string().describe('Of the target'),
    exported: exportedSchema,
    warnings: z.array(z.string()),
    time: z.string(),
  }),
]);
export type ExportState = z.infer<typeof stateSchema>;

export const exportSnapshotSchema = z.object({
  subject: exportSubjectSchema,
  /** Empty: the engine hasn't answered yet. */
  cards: z.array(cardSchema),
  /** Size and time are being computed. */
  planning: z.boolean(),
  choice: exportChoiceSchema.nullable(),
  /** Another place than the plan's. */
  out: z.string().nullable(),
  state: stateSchema,
});
export type ExportSnapshot = z.infer<typeof exportSnapshotSchema>;

/** Webview to host: what to show; sent once when the view opens. */
export const openExport = requestType('export/open', nothing, exportSnapshotSchema);

/** Host to webview: something changed. */
export const exportChanged = notificationType('export/changed', exportSnapshotSchema);

/** Webview to host: a target or its options were chosen. */
export const chooseExport = notificationType('export/choose', exportChoiceSchema);

/** Webview to host: ask for another place. */
export const changeExportPlace = notificationType('export/change-place', nothing);

export const startExport = notificationType('export/start', nothing);

export const cancelExport = notificationType('export/cancel', nothing);

/** Webview to host: what to do with the place of a finished export. */
export const useExported = notificationType(
  'export/use',
  z.object({ act: z.enum(['reveal', 'copy', 'copy_command']) }),
);

/** Webview to host: open the place of a problem. */
export const openExportPlace = notificationType(
  'export/open-place',
  z.object({ file: z.string(), line: z.int().positive().nullable() }),
);
