// Messages between the dashboard (webview/src/dashboard) and its provider (host/webviews). State of which only the latest counts
// is sent as a complete snapshot; long columns of numbers are fetched incrementally, so that 100,000 steps are sent once.
import * as z from 'zod';
import { suiteResultsSchema } from './answers.js';
import { certificateSchema } from './certificate.js';
import {
  completedEventSchema,
  memoryPartsSchema,
  metricInfoSchema,
  queuedEventSchema,
  startedEventSchema,
  stepEventSchema,
  workersEventSchema,
} from './engineEvent.js';
import { nothing, notificationType, requestType } from './messageTypes.js';
import { rowLossesSchema, rowOrderSchema } from './rowLosses.js';

const folder = z.string().describe('Run folder; identifies the run in every message');
const column = z.instanceof(Float64Array);

/** `RunPhase` of core/runs/runStatus.ts. */
export const runPhaseSchema = z.enum([
  'starting',
  'running',
  'paused',
  'completed',
  'stopped',
  'failed',
  'interrupted',
  'exporting',
  'queued',
  'detached',
]);

/** Memory of the run's method and of full fine-tuning of the same model, from `estimate --json`. */
export const savingsSchema = z.object({
  run: memoryPartsSchema,
  full: memoryPartsSchema.nullable(),
  /** Trainable parameters of full fine-tuning. */
  full_parameters: z.int().nullable(),
  inference_bytes: z.number(),
});
export type Savings = z.infer<typeof savingsSchema>;

/** Why a run ended without a result. */
export const runFailureSchema = z.object({
  message: z.string(),
  hint: z.string().nullable(),
  /** Where the problem is, as far as the engine knows. */
  file: z.string().nullable(),
  line: z.int().positive().nullable(),
  key: z.string().nullable(),
  /** The estimate exceeded the free memory; it can be started anyway. */
  refusedForMemory: z.boolean(),
  /** The cluster refused it for want of a token. */
  wantsLogin: z.boolean(),
  /** Last lines of the engine's log. */
  log: z.array(z.string()),
});
export type RunFailure = z.infer<typeof runFailureSchema>;

/** What can be done with a run's result. */
export const runResultSchema = z.object({ mergeable: z.boolean() });
export type RunResult = z.infer<typeof runResultSchema>;

export const runSnapshotSchema = z.object({
  folder,
  name: z.string(),
  /** The name, with what tells it from other runs of that name. */
  label: z.string(),
  status: runPhaseSchema,
  /** Increases when rows that were already sent are discarded; the columns are then fetched again. */
  generation: z.int(),
  numSteps: z.int(),
  numEvaluations: z.int(),
  currentStep: z.int(),
  secondsLeft: z.number().nullable(),
  firstTime: z.string().nullable(),
  lastTime: z.string().nullable(),
  model: z.string(),
  dataset: z.string(),
  /** Title of the method. */
  method: z.string(),
  metrics: z.array(metricInfoSchema).describe('Metrics of evaluation in addition to the loss'),
  started: startedEventSchema.nullable(),
  /** What it waits for on a cluster. */
  queued: queuedEventSchema.nullable(),
  /** Of a cluster, with what each did in the latest step. */
  workers: workersEventSchema.nullable(),
  workerFigures: stepEventSchema.shape.workers.unwrap().nullable(),
  /** The steps after which workers were started again. */
  restarts: z.array(z.int()),
  /** Of the cluster. */
  pricePerHour: z.number().nullable(),
  completed: completedEventSchema.nullable(),
  failure: runFailureSchema.nullable(),
  /** Step of the checkpoint from which it can be resumed, after it ended. */
  resumeStep: z.int().nullable(),
  /** null while there is none. */
  result: runResultSchema.nullable(),
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
  exports: z.array(certificateSchema).describe('Of the first run, latest first'),
  failedExports: z.array(z.object({ target: z.string(), message: z.string(), hint: z.string().nullable() })),
});
export type RunSnapshot = z.infer<typeof runSnapshotSchema>;

/** Which rows of a run are listed: those of a step, or all in an order. */
export const rowsRequestSchema = z.object({ folder, list: z.union([z.object({ step: z.int() }), rowOrderSchema]) });
export type RowsRequest = z.infer<typeof rowsRequestSchema>;

/** The list of rows on screen. */
export const listedRowsSchema = z.object({
  ...rowsRequestSchema.shape,
  /** null until they are known. */
  rows: z.array(rowLossesSchema).nullable(),
  file: z.string().nullable(),
  /** What the engine is doing; null: nothing. */
  progress: z.object({ phase: z.string(), share: z.number().nullable() }).nullable(),
  /** Why rows or losses are missing. */
  failure: z.string().nullable(),
  cancelled: z.boolean(),
});
export type ListedRows = z.infer<typeof listedRowsSchema>;

export const dashboardSnapshotSchema = z.object({
  /** The runs on screen; the first is shown in full. */
  runs: z.array(runSnapshotSchema),
  /** Other runs that can be compared. */
  others: z.array(z.object({ folder, label: z.string() })),
  rows: listedRowsSchema.nullable(),
  /** What the runs on screen and their bases have answered to suites. */
  suites: suiteResultsSchema,
});
export type DashboardSnapshot = z.infer<typeof dashboardSnapshotSchema>;

export const seriesSchema = z.object({
  generation: z.int(),
  steps: z.record(z.string(), column),
  evaluations: z.record(z.string(), column),
});
export type Series = z.infer<typeof seriesSchema>;

/** Webview to host: what to show; sent once when the view opens. */
export const openDashboard = requestType('dashboard/open', nothing, dashboardSnapshotSchema);

/** Host to webview: something changed. */
export const dashboardChanged = notificationType('dashboard/changed', dashboardSnapshotSchema);

/** Webview to host: a run's columns from these rows on, or complete if its generation has changed. */
export const fetchSeries = requestType(
  'dashboard/series',
  z.object({ folder, generation: z.int(), fromStep: z.int(), fromEvaluation: z.int() }),
  seriesSchema,
);

export const steeringSchema = z.enum(['pause', 'resume', 'save', 'stop']);
export type Steering = z.infer<typeof steeringSchema>;

/** Webview to host: control a run; `resume` ends a pause, or starts a process from the last checkpoint. */
export const steerRun = requestType('dashboard/steer', z.object({ folder, command: steeringSchema }), nothing);

/** What else a dashboard offers for a run; commands and editors of VS Code, which report their own errors. */
export const runActionSchema = z.enum([
  'try',
  'evaluate',
  'rowsByLoss',
  'merge',
  'export',
  'serve',
  'trainFurther',
  'startAgain',
  'startAnyway',
  'setClusterToken',
  'editInPanel',
  'editRunFile',
  'openPlace',
  'openLog',
  'reveal',
]);
export type RunAction = z.infer<typeof runActionSchema>;

/** Webview to host: do this with a run. */
export const actOnRun = notificationType('dashboard/act', z.object({ folder, action: runActionSchema }));

/** Webview to host: show an export in the file manager, or copy its path. */
export const useExport = notificationType(
  'dashboard/useExport',
  z.object({ folder, path: z.string(), act: z.enum(['reveal', 'copy']) }),
);

/** Webview to host: which runs are on screen. */
export const showRuns = requestType('dashboard/showRuns', z.array(folder).min(1), nothing);

/** Webview to host: ask the user where to save, and write the file. The result is its path; null: the user cancelled. */
export const exportFile = requestType(
  'dashboard/export',
  z.object({ name: z.string(), content: z.union([z.string(), z.instanceof(Uint8Array)]) }),
  z.string().nullable(),
);

/** Webview to host: list these rows; null: none. */
export const listRows = notificationType('dashboard/listRows', rowsRequestSchema.nullable());

/** Webview to host: end the measuring of losses. */
export const cancelRows = notificationType('dashboard/cancelRows', nothing);

/** Webview to host: open a listed row in its editor. */
export const openRow = notificationType('dashboard/openRow', z.object({ line: z.int() }));

/** Webview to host: put a listed row into quarantine, or take it out. */
export const quarantineRow = requestType(
  'dashboard/quarantineRow',
  z.object({ hash: z.string(), quarantined: z.boolean() }),
  nothing,
);

/** Webview to host: train the run again without the rows that are in quarantine now. */
export const trainWithout = requestType('dashboard/trainWithout', z.object({ folder }), nothing);
