// `tunewright train RUN.json`.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CancelledError } from '../../core/codedError.js';
import { unlessWrong } from '../../core/inputError.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { checkRunExports, exportRun } from '../export/runExports.js';
import { recordEarlyFailure } from '../run/failedEvent.js';
import { readRunFile } from '../run/readRunFile.js';
import { defaultRunFolder, latestRunFolder } from '../runFolder/runFolder.js';
import { trainRun, type TrainRequest } from '../run/trainRun.js';
import { placeOf } from '../ray/clusters.js';
import { trainOnRay } from '../ray/trainOnRay.js';
import { confirmSending } from './confirmSending.js';
import { checkExports } from './exportCommand.js';
import { onInterruption, reportFailure } from './failure.js';
import { progressDisplay } from './progressDisplay.js';
import { runDisplay } from './runDisplay.js';
import { print, printJson, printNote, goOnWithoutOutput } from './print.js';

interface TrainFlags {
  out?: string;
  resume?: boolean;
  force?: boolean;
  cache?: string;
  on?: string;
  yes?: boolean;
  json?: boolean;
}

export function registerTrainCommand(program: Command): void {
  program
    .command('train')
    .description('fine-tune a model as described by a run file')
    .argument('<run.json>', 'run file; `tunewright describe schemas` prints its JSON schema')
    .option('--out <folder>', 'run folder (default: runs/NAME-TIME next to the run file)')
    .option('--resume', 'resume from the last checkpoint of --out, or of the latest run with this name')
    .option('--force', 'start even if the estimate exceeds the available memory')
    .option('--cache <folder>', 'share tokens and the evaluation of the base with other runs that name this folder')
    .option(
      '--on <place>',
      'train on a Ray cluster, by its name in clusters.json or its address, or on this machine: `here` (default: as engine.backend says)',
    )
    .option('--yes', 'send rows, settings and, where the cluster lacks it, the model to the cluster without asking')
    .option('--json', 'print the run’s events, one JSON object per line')
    .addHelpText('after', '\nCtrl-C saves a checkpoint and the adapter; pressing it again quits immediately.')
    .action(train);
}

async function train(runFile: string, flags: TrainFlags): Promise<void> {
  const resume = flags.resume ?? false;
  const out = resolve(flags.out ?? defaultOut(runFile, resume));
  goOnWithoutOutput();
  const progress = progressDisplay();
  const display = runDisplay();
  const stop = new AbortController();
  let isRemote = false;
  const interrupt = () => {
    display.finish();
    printNote(
      isRemote
        ? 'Stopping the job after its step; press Ctrl-C again to leave it running.'
        : 'Stopping after this step; press Ctrl-C again to quit immediately.',
    );
    stop.abort();
  };
  const quit = () => {
    const said = isRemote
      ? `Left. The job goes on unless it was stopped already; follow it with --resume --out ${out}`
      : 'Stopped immediately; the last checkpoint is kept.';
    process.exit(reportFailure(new CancelledError(said)));
  };
  let recorded = false;
  const settled = onInterruption(interrupt, quit);
  let exports = 0;
  try {
    const onEvent = (event: EngineEvent) => {
      progress.finish();
      recorded ||= event.type === 'failed';
      if (flags.json) printJson(event);
      else display.show(event);
    };
    const engine = placeOf(flags.on);
    isRemote = engine ? engine.backend === 'ray' : isOnCluster(runFile, out, resume);
    const confirm = (address: string, sent: readonly string[]) =>
      confirmSending(address, sent, { yes: flags.yes ?? false });
    const train = isRemote ? (request: TrainRequest) => trainOnRay({ ...request, confirm }) : trainRun;
    const { result, outcome } = await train({
      runFile,
      out,
      resume,
      force: flags.force ?? false,
      cache: flags.cache && resolve(flags.cache),
      engine,
      reporter: flags.json ? { progress: () => {}, warn: () => {} } : progress,
      onEvent,
      check: prepared => {
        exports = prepared.run.config.export.length;
        return checkRunExports(prepared, out);
      },
      signal: stop.signal,
    });
    // From here on the run has its result, whatever becomes of the exports.
    recorded = true;
    if (!flags.json) {
      display.finish();
      print(process.stdout.isTTY ? `\nSaved in ${result}` : result);
    }
    if (outcome.reason === 'stopped' || exports === 0) return;
    checkExports(
      out,
      await exportRun(out, { all: true, engine: null, reporter: progress, onEvent, signal: stop.signal }),
    );
  } catch (error) {
    display.finish();
    if (!recorded) recordEarlyFailure({ runFile, out, resume }, error);
    throw error;
  } finally {
    progress.finish();
    settled();
  }
}

/** Where a run is trained if --on doesn't say. A resumed one says it itself; its run.json may be damaged, which is dealt with later. */
function isOnCluster(runFile: string, out: string, resume: boolean): boolean {
  const files = resume ? [join(out, 'run.json'), runFile] : [runFile];
  const engine = files.map(file => unlessWrong(() => readRunFile(file).config.engine)).find(read => read !== null);
  return engine ? engine.backend === 'ray' : resume && existsSync(join(out, 'ray.json'));
}

function defaultOut(runFile: string, resume: boolean): string {
  const { name } = readRunFile(runFile).config;
  const directory = dirname(resolve(runFile));
  return resume ? latestRunFolder(directory, name) : defaultRunFolder(directory, name);
}
