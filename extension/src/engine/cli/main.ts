// The command `tunewright`. Results go to standard output, everything else to standard error; exit 0, 1 (failed) or
// 2 (bad usage or input).
import { Command, CommanderError } from 'commander';
import { InputError } from '../../core/inputError.js';
import { engineVersion } from '../run/engineVersion.js';
import { registerDescribeCommand } from './describeCommand.js';
import { registerEngineCommand } from './engineCommand.js';
import { registerEstimateCommand } from './estimateCommand.js';
import { registerEvaluateCommand } from './evaluateCommand.js';
import { registerExportCommand } from './exportCommand.js';
import { registerGenerateCommand } from './generateCommand.js';
import { registerInspectCommand } from './inspectCommand.js';
import { registerMergeCommand } from './mergeCommand.js';
import { registerModelsCommand } from './modelsCommand.js';
import { registerTrainCommand } from './trainCommand.js';

const program = new Command('tunewright')
  .description('Fine-tune language models on your own machine, without Python')
  .version(engineVersion)
  .showHelpAfterError('(--help lists what there is)')
  .showSuggestionAfterError()
  .configureHelp({ sortSubcommands: false });

for (const register of [
  registerTrainCommand,
  registerEstimateCommand,
  registerInspectCommand,
  registerGenerateCommand,
  registerEvaluateCommand,
  registerMergeCommand,
  registerExportCommand,
  registerModelsCommand,
  registerEngineCommand,
  registerDescribeCommand,
])
  register(program);

overrideExit(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** commander then throws rather than exits, so that every way out goes through `report`. */
function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof InputError) {
    console.error(`error: ${error.describe()}`);
    return 2;
  }
  const { message, stack } = error as Error;
  console.error(`error: ${message}`);
  if (process.env['TUNEWRIGHT_DEBUG']) console.error(stack);
  else console.error('  TUNEWRIGHT_DEBUG=1 shows where it came from.');
  return 1;
}
