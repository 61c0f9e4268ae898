// `tunewright train RUN.json`.
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { readRunFile } from '../run/readRunFile.js';
import { defaultRunFolder, latestRunFolder } from '../runFolder/runFolder.js';
import { trainRun } from '../run/trainRun.js';
import { DivergedError } from '../training/trainer.js';
import { progressDisplay } from './progressDisplay.js';
import { runDisplay } from './runDisplay.js';

interface TrainFlags {
  out?: string;
  resume?: boolean;
  force?: boolean;
  json?: boolean;
}

export function registerTrainCommand(program: Command): void {
  program
    .command('train')
    .description('fine-tune a model as a run file says')
    .argument('<run.json>', 'run file; `tunewright describe schemas` prints its JSON schema')
    .option('--out <folder>', 'run folder (default: runs/NAME-TIME beside the run file)')
    .option('--resume', 'go on from the last checkpoint of --out, or of the youngest run of that name')
    .option('--force', 'start even where the estimate is more than the free memory')
    .option('--json', 'print the run’s events, one JSON object a line')
    .addHelpText('after', '\nCtrl-C saves a checkpoint and the adapter; a second one quits at once.')
    .action(train);
}

async function train(runFile: string, flags: TrainFlags): Promise<void> {
  const { name } = readRunFile(runFile).config;
  const directory = dirname(resolve(runFile));
  const out = flags.out ?? (flags.resume ? latestRunFolder(directory, name) : defaultRunFolder(directory, name));
  const progress = progressDisplay();
  const display = runDisplay();
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    display.finish();
    console.error('Stopping after this step; once more to quit at once.');
    stop.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const { result } = await trainRun({
      runFile,
      out: resolve(out),
      resume: flags.resume ?? false,
      force: flags.force ?? false,
      reporter: flags.json ? { progress: () => {}, warn: () => {} } : progress,
      onEvent: (event: EngineEvent) => {
        progress.finish();
        if (flags.json) process.stdout.write(`${JSON.stringify(event)}\n`);
        else display.show(event);
      },
      signal: stop.signal,
    });
    if (!flags.json) {
      display.finish();
      console.log(process.stdout.isTTY ? `\nSaved in ${result}` : result);
    }
  } catch (error) {
    display.finish();
    if (!(error instanceof DivergedError)) throw error;
    console.error(`error: ${error.message}`);
    if (error.lastCheckpoint) console.error(`  The last good checkpoint is ${out}/${error.lastCheckpoint}.`);
    process.exitCode = 1;
  } finally {
    progress.finish();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
