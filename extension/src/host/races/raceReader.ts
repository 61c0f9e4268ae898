// Reads what the files of a race say now: the race file, and in the race folder the runs, their events and scores. Draws no
// conclusions; those are core/race's, in the page. Keeps the state of each run, so that only new events are read.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { folderFigures } from '../../core/race/raceFigures.js';
import { block } from '../../core/runs/runFileKeys.js';
import { currentStep, initialRunState, reduceRun, secondsLeft, type RunState } from '../../core/runs/runState.js';
import type { FolderFigures, RaceFiles, RaceSnapshot } from '../../protocol/raceMessages.js';
import type { RunConfig } from '../../protocol/runConfig.js';
import { holderOf } from '../../system/fileClaim.js';
import { scoreIn } from '../../system/keptReports.js';
import { namesIn } from '../../system/regularFile.js';
import { fileSize, readEventChunk, readJson, readLastLines, runFolderFiles } from '../runs/runFolderFiles.js';

/** A race file, the folder of its race, or both. */
export interface RaceSource {
  file: string | null;
  folder: string | null;
}

type Json = Record<string, unknown>;

/** Lines of the engine's log that explain why a race has ended. */
const LOG_LINES = 20;

export const raceFolderFiles = (folder: string) => ({
  ...runFolderFiles(folder),
  race: join(folder, 'race.json'),
  inputs: join(folder, 'inputs.json'),
  report: join(folder, 'report.md'),
});

export class RaceReader {
  private readonly runs = new Map<string, { state: RunState; offset: number }>();

  /** @param trusted whether the workspace is */
  async read({ file, folder }: RaceSource, trusted: boolean): Promise<RaceSnapshot> {
    const files = folder === null ? null : raceFolderFiles(folder);
    const alive = files !== null && holderOf(files.process) !== null;
    const { progress, ...said } = await this.readFiles({ file, folder });
    const isOver = Object.values(said.folders).every(({ status }) => status === 'finished' || status === 'failed');
    const hasReport = files !== null && existsSync(files.report);
    return {
      ...said,
      ...{ file, folder, alive, progress, hasReport, trusted },
      log: files === null || alive || (isOver && hasReport) ? [] : readLastLines(files.log, LOG_LINES),
    };
  }

  async readFiles({ file, folder }: RaceSource): Promise<RaceFiles & Pick<RaceSnapshot, 'progress'>> {
    const stored = folder === null ? null : objectIn(raceFolderFiles(folder).race);
    const race = stored ?? (file === null ? null : objectIn(file));
    const named = race?.['run'];
    const run = typeof named === 'string' && file !== null ? objectIn(resolve(dirname(file), named)) : null;
    const suites = block(block(race ?? {}, 'run'), 'dataset')['suites'];
    const asked = Array.isArray(suites) ? suites.map(String) : [];
    const folders: Record<string, FolderFigures> = {};
    const progress: RaceSnapshot['progress'] = [];
    for (const name of stored ? namesIn(join(folder!, 'runs')) : []) {
      const path = join(folder!, 'runs', name);
      const config = objectIn(runFolderFiles(path).run);
      if (!config) continue;
      const state = await this.stateOf(path);
      const alive = holderOf(runFolderFiles(path).process) !== null;
      folders[`runs/${name}`] = folderFigures(path, {
        state: state.lastSeq < 0 ? null : state,
        alive,
        config: { training: block(config, 'training'), method: block(config, 'method') } as RunConfig,
        // Of a run that is under way there is none.
        score: state.completed && !alive ? scoreIn(path, asked) : null,
      });
      if (alive)
        progress.push({
          folder: `runs/${name}`,
          step: currentStep(state),
          totalSteps: state.started?.total_steps ?? 0,
          secondsLeft: secondsLeft(state),
        });
    }
    return { race, run, folders, progress, baseScore: stored ? scoreIn(folder!, asked) : null };
  }

  private async stateOf(run: string): Promise<RunState> {
    const { events } = runFolderFiles(run);
    const before = this.runs.get(run);
    let { state, offset } =
      before && before.offset <= fileSize(events) ? before : { state: initialRunState, offset: 0 };
    for (let chunk; (chunk = readEventChunk(events, offset)); offset = chunk.next) {
      state = chunk.events.reduce(reduceRun, state);
      // Yields to the rest of the host between chunks.
      await new Promise(resolve => setImmediate(resolve));
    }
    this.runs.set(run, { state, offset });
    return state;
  }
}

function objectIn(path: string): Json | null {
  const value = readJson(path);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}
