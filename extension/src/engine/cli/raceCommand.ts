// `tunewright race RACE.json`: the same run with other methods, options and seeds, and a report.
import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { CancelledError } from '../../core/codedError.js';
import { entryFigures, parseLimit, type RaceLimits, type RunFigures } from '../../core/race/raceFigures.js';
import { choiceText } from '../../core/race/raceReport.js';
import { raceTable, spreadText } from '../../core/race/raceTable.js';
import { block } from '../../core/runs/runFileKeys.js';
import { queuedText, workersText } from '../../core/runs/runState.js';
import { figure } from '../../core/units.js';
import type { EngineEvent } from '../../protocol/engineEvent.js';
import { parallelRuns, type RaceResult } from '../../protocol/raceConfig.js';
import { readRaceFile } from '../race/planRace.js';
import { commandsFile, raceFile } from '../race/raceFolder.js';
import { runRace } from '../race/runRace.js';
import { writeReport } from '../race/writeReport.js';
import { commandReader } from '../run/runProcess.js';
import { defaultRunFolder, latestRunFolder } from '../runFolder/runFolder.js';
import { onInterruption } from './failure.js';
import { print, printJson, printNote, goOnWithoutOutput } from './print.js';
import { table } from './table.js';

/** How often commands of the editor are read, which appends them to a file of the race folder. */
const COMMANDS_MS = 300;

interface RaceFlags {
  out?: string;
  resume?: boolean;
  force?: boolean;
  yes?: boolean;
  report?: string;
  under?: string[];
  json?: boolean;
}

export function registerRaceCommand(program: Command): void {
  program
    .command('race')
    .description('train the same run with other methods, options and seeds, and compare them')
    .argument('[race.json]', 'race file; `tunewright describe race-schema` prints its JSON schema')
    .option('--out <folder>', 'race folder (default: races/NAME-TIME next to the race file)')
    .option('--resume', 'continue the race of --out, or the latest one with this name; finished runs are kept')
    .option('--force', 'start runs even if their estimate exceeds the available memory')
    .option('--yes', 'send rows, settings and, where a cluster lacks it, the model to the cluster without asking')
    .option('--report <folder>', 'write the report of a race folder again, and train nothing')
    .option('--under <limits...>', 'choose the best entry under limits: 1GB, 800MB, 10min, 30s')
    .option('--json', 'print the events of all runs and the result, one JSON object per line')
    .addHelpText('after', '\nCtrl-C ends the current run with a checkpoint; pressing it again quits immediately.')
    .action(race);
}

/** Ends with a message about the usage for anything that isn't a limit. */
function limitsOf(texts: readonly string[], command: Command): RaceLimits {
  return texts.reduce<RaceLimits>(
    (limits, text) => {
      const limit = parseLimit(text);
      if (!limit) command.error(`error: "${text}" is not a limit for --under; such as 1GB, 800MB, 10min or 30s`);
      const key = Object.keys(limit)[0] as keyof RaceLimits;
      if (limits[key] !== null)
        command.error(`error: --under has two limits of ${key === 'seconds' ? 'time' : 'memory'}; name one of each`);
      return { ...limits, ...limit };
    },
    { memoryBytes: null, seconds: null },
  );
}

async function race(file: string | undefined, flags: RaceFlags, command: Command): Promise<void> {
  if ((file === undefined) === (flags.report === undefined))
    command.error('error: a race file is required, or --report with the folder of a race');
  const limits = limitsOf(flags.under ?? [], command);
  const out = resolve(flags.report ?? flags.out ?? defaultOut(file!, flags.resume ?? false));
  if (file !== undefined) await train(file, out, flags);
  const { report, runs } = writeReport(out, limits);
  if (flags.json) printJson({ type: 'race_completed', entries: runs.map(resultOf) });
  else show(report, runs, limits);
  if (file !== undefined && !runs.some(({ status }) => status === 'finished')) process.exitCode = 1;
}

async function train(
  file: string,
  out: string,
  { resume = false, force = false, yes = false, json = false }: RaceFlags,
): Promise<void> {
  const { race } = readRaceFile(file);
  const isParallel = parallelRuns(race, block(race.run, 'engine')['backend'] === 'ray') > 1;
  const stop = new AbortController();
  const quit = new AbortController();
  goOnWithoutOutput();
  const interrupt = () => {
    if (stop.signal.aborted) return quit.abort();
    printNote('Stopping after this step; press Ctrl-C again to quit immediately.');
    stop.abort();
  };
  const settled = onInterruption(interrupt, interrupt);
  const commands = commandReader(commandsFile(out));
  const reading = setInterval(() => {
    for (const { type } of commands()) if (type === 'stop') interrupt();
  }, COMMANDS_MS);
  try {
    await runRace({
      ...{ file, out, resume, force, yes, signal: stop.signal, quit: quit.signal },
      // Displays of several runs would write over each other.
      json: json || isParallel,
      onStart: ({ name, seed, number, of }) => {
        printNote(`${isParallel ? '' : '\n'}[${number}/${of}] ${name}, seed ${seed}`);
      },
      onEvent: ({ name, seed, run }, event) => {
        if (json) printJson({ ...event, entry: { name, seed, run } });
        else if (event.type === 'failed') printNote(`${name}, seed ${seed} failed: ${event.message}`);
        else if (isParallel) {
          const text = progressText(event);
          if (text !== null) printNote(`${name}, seed ${seed}: ${text}`);
        }
      },
    });
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    if (!existsSync(raceFile(out))) throw new CancelledError('Stopped before the first run.');
    const command = ['tunewright', 'race', file, '--out', out, '--resume'].map(quoted).join(' ');
    throw new CancelledError(`Stopped. Continue with: ${command}`);
  } finally {
    clearInterval(reading);
    settled();
  }
}

/** A line for what is worth one among those of other runs; null: nothing. */
function progressText(event: EngineEvent): string | null {
  switch (event.type) {
    case 'queued':
      return queuedText(event);
    case 'workers':
      return workersText(event);
    case 'evaluated':
      return `step ${event.step}  validation loss ${figure(event.loss)}`;
    case 'warned':
      return `warning: ${event.message}`;
    case 'completed':
      return `${event.reason} after step ${event.step}`;
    default:
      return null;
  }
}

function quoted(word: string): string {
  return /^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function show(report: string, runs: readonly RunFigures[], limits: RaceLimits): void {
  const entries = entryFigures(runs);
  const { heading, figures, rows } = raceTable(entries, spreadText);
  print(`\n${table([heading, ...rows], figures)}\n`);
  for (const run of runs) if (run.failure !== null) print(`${run.name}, seed ${run.seed} failed: ${run.failure}`);
  print(choiceText(entries, limits));
  print(relative('.', report));
}

function resultOf(run: RunFigures): RaceResult {
  const { peft_type: _type, total_parameters: _total, steps: _steps, failure: _failure, ...result } = run;
  return result;
}

function defaultOut(file: string, resume: boolean): string {
  const { name } = readRaceFile(file).race;
  const directory = dirname(resolve(file));
  return resume ? latestRunFolder(directory, name, 'races') : defaultRunFolder(directory, name, new Date(), 'races');
}
