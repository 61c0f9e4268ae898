// Messages between a race's editor tab (webview/src/race) and the host (host/races). The host sends what the files of a race say; what
// follows from it, from entries to charts, is worked out in the page by core/race.
import * as z from 'zod';
import { nothing, notificationType, requestType } from './messageTypes.js';
import { draftSchema } from './runPanelMessages.js';

const json = z.record(z.string(), z.unknown());
const number = z.number().nullable();

/** What a run folder says, whatever entry it is of. */
export const folderFiguresSchema = z.object({
  /** Path of the run folder. */
  run: z.string(),
  status: z.enum(['waiting', 'running', 'interrupted', 'finished', 'failed']),
  peft_type: z.string().nullable(),
  trainable_parameters: number,
  total_parameters: number,
  validation_loss: number,
  score: number,
  peak_rss_bytes: number,
  train_seconds: number,
  kl_from_base: number,
  general_loss: number,
  /** Optimizer steps done. */
  steps: number,
  /** Why it failed. */
  failure: z.string().nullable(),
});
export type FolderFigures = z.infer<typeof folderFiguresSchema>;

/** What the files of a race say. */
export const raceFilesSchema = z.object({
  /** The race file's content, or race.json of the race folder; null if it can't be read. */
  race: json.nullable(),
  /** The run file that it names; null if it has the run itself, or the file can't be read. */
  run: json.nullable(),
  /** By name of the folder, as in `RaceEntry`: `runs/NAME-seedN`. */
  folders: z.record(z.string(), folderFiguresSchema),
  /** Score of the base without training; null without a suite. */
  baseScore: number,
});
export type RaceFiles = z.infer<typeof raceFilesSchema>;

export const raceSnapshotSchema = z.object({
  ...raceFilesSchema.shape,
  /** Path of the race file; null if only the folder is known. */
  file: z.string().nullable(),
  /** Path of the race folder; null before the race was started. */
  folder: z.string().nullable(),
  /** A process races in the folder. */
  alive: z.boolean(),
  /** How far the runs in progress are. */
  progress: z.array(z.object({ folder: z.string(), step: z.int(), totalSteps: z.int(), secondsLeft: number })),
  /** The end of the engine's log, if a race ended before all of its runs. */
  log: z.array(z.string()),
  hasReport: z.boolean(),
  /** False in Restricted Mode: nothing is started or stopped. */
  trusted: z.boolean(),
});
export type RaceSnapshot = z.infer<typeof raceSnapshotSchema>;

/** Webview to host: what to show; sent once when the tab opens. */
export const openRace = requestType('race/open', nothing, raceSnapshotSchema);

/** Host to webview: something changed. */
export const raceChanged = notificationType('race/changed', raceSnapshotSchema);

export const raceSteeringSchema = z.enum(['start', 'resume', 'stop']);
export type RaceSteering = z.infer<typeof raceSteeringSchema>;

/** Webview to host: start a race of the race file in a new folder, continue the race, or stop it after the step in progress. */
export const steerRace = requestType('race/steer', raceSteeringSchema, nothing);

/** Webview to host: open a dashboard on these runs of the race, over each other. */
export const openRaceRuns = notificationType('race/openRuns', z.array(z.string()).min(1));

/** Webview to host: open the run panel with this run. */
export const useRaceRun = notificationType('race/useRun', draftSchema);

/** Webview to host: open a file of the race in an editor. */
export const openRaceFile = notificationType('race/openFile', z.enum(['race', 'report', 'log']));

/** Run panel to host: the races of the workspace on the draft's model and training rows. */
export const findRaces = requestType('runPanel/findRaces', draftSchema, z.array(raceFilesSchema));

/** Host to run panel: a race has ended, so that there may be other figures. */
export const racesChanged = notificationType('runPanel/racesChanged', nothing);
