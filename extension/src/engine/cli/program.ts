// The program's commands, each registered by its own file. Built by main.ts, and by a test that runs each of them.
import { Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { engineVersion } from '../run/engineVersion.js';
import { printNote } from './print.js';
import { registerChatCommand } from './chatCommand.js';
import { registerCleanCommand } from './cleanCommand.js';
import { registerCombineCommand } from './combineCommand.js';
import { registerDescribeCommand } from './describeCommand.js';
import { registerEjectCommand } from './ejectCommand.js';
import { registerEngineCommand } from './engineCommand.js';
import { registerEstimateCommand } from './estimateCommand.js';
import { registerEvaluateCommand } from './evaluateCommand.js';
import { registerExportCommand } from './exportCommand.js';
import { registerGenerateCommand } from './generateCommand.js';
import { registerInspectCommand } from './inspectCommand.js';
import { registerMergeCommand } from './mergeCommand.js';
import { registerModelsCommand } from './modelsCommand.js';
import { registerPushCommand } from './pushCommand.js';
import { registerQuarantineCommand } from './quarantineCommand.js';
import { registerRaceCommand } from './raceCommand.js';
import { registerResidentCommand } from './residentCommand.js';
import { registerRowsCommand } from './rowsCommand.js';
import { registerServeCommand } from './serveCommand.js';
import { registerSessionCommand } from './sessionCommand.js';
import { registerSuiteCommand } from './suiteCommand.js';
import { registerTrainCommand } from './trainCommand.js';

/** commander throws instead of exiting, so that every failure goes through `reportFailure`. */
export function tunewrightProgram(): Command {
  const program = new Command('tunewright')
    .description('Fine-tune language models on your own machine, without Python')
    .version(engineVersion)
    .showHelpAfterError('(use --help for a list of commands and options)')
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false })
    .configureOutput({ writeErr: text => printNote(text.replace(/\n$/, '')) })
    .hook('preAction', (_, action) => refuseEmptyPaths(action));

  for (const register of [
    registerTrainCommand,
    registerRaceCommand,
    registerEstimateCommand,
    registerInspectCommand,
    registerGenerateCommand,
    registerChatCommand,
    registerServeCommand,
    registerEvaluateCommand,
    registerSuiteCommand,
    registerRowsCommand,
    registerQuarantineCommand,
    registerMergeCommand,
    registerCombineCommand,
    registerExportCommand,
    registerEjectCommand,
    registerPushCommand,
    registerModelsCommand,
    registerEngineCommand,
    registerCleanCommand,
    registerDescribeCommand,
    registerResidentCommand,
    registerSessionCommand,
  ])
    register(program);
  overrideExit(program);
  return program;
}

/** An empty path would be the current folder. @throws InputError that names the option */
function refuseEmptyPaths(command: Command): void {
  for (const option of command.options) {
    const { flags, long } = option;
    const value: unknown = command.opts()[option.attributeName()];
    if (!/<(?:file|folder|path|model|name=path)(?:\.\.\.)?>/.test(flags)) continue;
    if ([value].flat().some(each => typeof each === 'string' && each.trim() === ''))
      throw new InputError('is empty', { key: long ?? flags, hint: 'Name a file or folder, or leave the option out.' });
  }
}

function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}
