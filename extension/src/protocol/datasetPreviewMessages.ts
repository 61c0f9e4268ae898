// Messages between the Dataset Preview (webview/src/datasetPreview) and its provider (host/datasets/previewEditor.ts). The
// summary is always sent complete; rows are fetched as they scroll into view.
import * as z from 'zod';
import { nothing, notificationType, requestType } from './messageTypes.js';

const row = z.int().nonnegative();

export const previewSummarySchema = z.object({
  file: z.string().describe('Name of the file, for the heading'),
  /** Increases when the file is read again: rows that were fetched before are outdated. */
  generation: z.int(),
  phase: z.enum(['indexing', 'analysing', 'comparing', 'ready', 'stopped', 'failed', 'deleted']),
  share: z.number(),
  error: z.string().nullable(),
  format: z.object({ name: z.string(), title: z.string() }).nullable(),
  rows: z.int(),
  countedRows: z.int(),
  exact: z.boolean().describe('Every row has been counted; otherwise tokens and labelShare are estimates'),
  tokens: z.number(),
  labelShare: z.number(),
  longest: z.int(),
  median: z.int(),
  maxLength: z.int(),
  problems: z.record(z.string(), z.int()).describe('Rows by code of the problem, worst first'),
  histogram: z.array(z.object({ from: z.int(), to: z.int(), rows: z.int() })),
  /** What determines how rows are read (a run file or the settings), and the model of the tokenizer. */
  readBy: z.string(),
  outdatedRuns: z.int(),
});
export type PreviewSummary = z.infer<typeof previewSummarySchema>;

export const previewRowSchema = z.object({
  row,
  line: z.int(),
  tokens: z.int().nullable(),
  labelTokens: z.int().nullable(),
  problems: z.array(z.string()),
  excerpt: z.string(),
});
export type PreviewRow = z.infer<typeof previewRowSchema>;

/** Embedded in the page: the first rows, before anything else is known of the file. */
export const initialPreviewSchema = z.object({ summary: previewSummarySchema, rows: z.array(previewRowSchema) });
export type InitialPreview = z.infer<typeof initialPreviewSchema>;

export const previewDetailSchema = z.object({
  row,
  line: z.int(),
  tokens: z.int().nullable(),
  labelTokens: z.int().nullable(),
  text: z.string(),
  findings: z.array(
    z.object({
      code: z.string(),
      message: z.string(),
      hint: z.string().optional(),
      /** In the file, from 1; only where it is known more exactly than the row. */
      place: z.object({ line: z.int(), column: z.int().optional() }).optional(),
    }),
  ),
  turns: z.array(z.object({ role: z.string(), content: z.string(), trained: z.boolean() })),
  runs: z.array(z.object({ text: z.string(), kind: z.enum(['trained', 'masked', 'cut']), tokens: z.int() })),
});
export type PreviewDetail = z.infer<typeof previewDetailSchema>;

export const previewViewSchema = z.object({
  sort: z.enum(['position', 'length', 'problem']),
  descending: z.boolean(),
  search: z.string(),
  problem: z.string().nullable().describe('Code of a problem, or "any"'),
});
export type PreviewView = z.infer<typeof previewViewSchema>;

/** Webview to host: the current summary; sent once when the view opens. */
export const openPreview = requestType('datasetPreview/open', nothing, previewSummarySchema);

/** Host to webview: something changed. */
export const previewChanged = notificationType('datasetPreview/changed', previewSummarySchema);

/** Webview to host: which rows the table shows, in which order. The result is their number. */
export const setPreviewView = requestType('datasetPreview/view', previewViewSchema, z.object({ rows: z.int() }));

/** Webview to host: rows of the current view. */
export const listPreviewRows = requestType(
  'datasetPreview/list',
  z.object({ from: row, to: row }),
  z.array(previewRowSchema),
);

/** Webview to host: everything about one row; null if it no longer exists. */
export const readPreviewRow = requestType('datasetPreview/row', row, previewDetailSchema.nullable());

/** Webview to host: `countAll` counts the rows that sampling skipped, `stop` ends reading. */
export const steerPreview = notificationType('datasetPreview/steer', z.enum(['countAll', 'stop', 'reload']));

/** Webview to host: fine-tune with this file, or show the row in a text editor. */
export const fineTuneFromPreview = notificationType('datasetPreview/fineTune', nothing);
export const revealRow = notificationType('datasetPreview/reveal', z.object({ line: z.int().positive() }));

/** Webview to host: open the playground with the prompt of a row. */
export const askRow = notificationType(
  'datasetPreview/ask',
  z.object({ prompt: z.string(), system: z.string().optional() }),
);
