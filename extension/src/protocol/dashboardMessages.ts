// Messages between the dashboard (webview/src/dashboard) and its provider (host/webviews). What is "latest wins" comes as
// a complete snapshot; the long columns of numbers are fetched from a row on, so that 100,000 steps are sent once.
import * as z from 'zod';
import {
  completedEventSchema,
  failedEventSchema,
  memoryPartsSchema,
  metricInfoSchema,
  startedEventSchema,
} from './engineEvent.js';
import { nothing, notificationType, requestType } from './messageTypes.js';

const folder = z.string().describe('Run folder; names the run in every message');
const column = z.instanceof(Float64Array);

/** As core/runs/runStatus.ts tells it. */
export const runPhaseSchema = z.enum([
  'starting',
  'running',
  'paused',
  'completed',
  'stopped',
  'failed',
  'interrupted',
]);

/** Memory of the run's method and of full fine-tuning on the same model, as `estimate --json` tells. */
export const savingsSchema = z.object({
  run: memoryPartsSchema,
  full: memoryPartsSchema.nullable(),
  /** What full fine-tuning would train. */
  full_parameters: z.int().nullable(),
  inference_bytes: z.number(),
});
export type Savings = z.infer<typeof savingsSchema>;

export const runSnapshotSchema = z.object({
  folder,
  name: z.string(),
  status: runPhaseSchema,
  /** Rises when rows that were sent before are taken back; the columns are then fetched anew. */
  generation: z.int(),
  numSteps: z.int(),
  numEvaluations: z.int(),
  currentStep: z.int(),
  secondsLeft: z.number().nullable(),
  firstTime: z.string().nullable(),
  lastTime: z.string().nullable(),
  dataset: z.string(),
  /** Title of its method. */
  method: z.string(),
  metrics: z.array(metricInfoSchema).describe('Figures of evaluation beside the loss'),
  started: startedEventSchema.nullable(),
  completed: completedEventSchema.nullable(),
  failed: failedEventSchema.nullable(),
  samples: z.array(z.object({ step: z.int(), prompt: z.string(), text: z.string() })),
  checkpoints: z.array(z.object({ step: z.int(), path: z.string(), best: z.boolean() })),
  log: z.array(
    z.object({
      seq: z.int(),
      time: z.string(),
      level: z.enum(['info', 'warning', 'error']),
      text: z.string(),
    }),
  ),
  savings: savingsSchema.nullable(),
});
export type RunSnapshot = z.infer<typeof runSnapshotSchema>;

export const dashboardSnapshotSchema = z.object({
  /** The runs on screen; the first is the one that is told about in full. */
  runs: z.array(runSnapshotSchema),
  /** Further runs that can be laid over. */
  others: z.array(z.object({ folder, name: z.string() })),
});
export type DashboardSnapshot = z.infer<typeof dashboardSnapshotSchema>;

export const seriesSchema = z.object({
  generation: z.int(),
  steps: z.record(z.string(), column),
  evaluations: z.record(z.string(), column),
});
export type Series = z.infer<typeof seriesSchema>;

/** Webview to host: what is on screen; asked once when the view opens. */
export const openDashboard = requestType('dashboard/open', nothing, dashboardSnapshotSchema);

/** Host to webview: something changed. */
export const dashboardChanged = notificationType('dashboard/changed', dashboardSnapshotSchema);

/** Webview to host: a run's columns from these rows on; all of them where its generation is another one by now. */
export const fetchSeries = requestType(
  'dashboard/series',
  z.object({ folder, generation: z.int(), fromStep: z.int(), fromEvaluation: z.int() }),
  seriesSchema,
);

/** Webview to host: steer a run; `continue` starts a process for one that was interrupted. */
export const steerRun = requestType(
  'dashboard/steer',
  z.object({ folder, command: z.enum(['pause', 'resume', 'save', 'stop', 'continue']) }),
  nothing,
);

/** Webview to host: which runs are on screen. */
export const showRuns = requestType('dashboard/showRuns', z.array(folder).min(1), nothing);

/** Webview to host: ask where to, and write the file. The answer is its path; null: the user changed their mind. */
export const exportFile = requestType(
  'dashboard/export',
  z.object({ name: z.string(), content: z.union([z.string(), z.instanceof(Uint8Array)]) }),
  z.string().nullable(),
);

/** Webview to host: show the run folder in the explorer. */
export const revealRun = notificationType('dashboard/reveal', folder);
