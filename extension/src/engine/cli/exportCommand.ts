// `tunewright export`: an adapter, or the model with adapters merged into it, for another program; or all that a run file lists.
import { Argument, Option, type Command } from 'commander';
import { CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import { exportSchemas } from '../../protocol/exportConfig.js';
import { exportRun, type RunExports } from '../export/runExports.js';
import { exportTargets } from '../export/targets/registry.js';
import { engineOf } from './engineOptions.js';
import { exportedText, planAll, runExport, withExportOptions, type ExportFlags } from './exportOptions.js';
import { interruptible } from './failure.js';
import { printAnswer, printNote } from './print.js';
import { progressDisplay } from './progressDisplay.js';
import { runFolderGiven } from './runPaths.js';
import { exportFailureText } from './runDisplay.js';

export function registerExportCommand(program: Command): void {
  const described = exportTargets.map(({ to, target }) => `${to}: ${exportSchemas[target].meta()!.title}`);
  const command = program
    .command('export')
    .description('write an adapter, or the model with adapters merged into it, for another program')
    .addArgument(
      new Argument('[run]', 'folder of a run that has completed: makes the exports of its run file that are missing'),
    )
    .option('--adapter <folder...>', 'adapter folder of PEFT or of a run; several are merged in this order')
    .addOption(new Option('--to <target>', described.join('; ')).choices(exportTargets.map(({ to }) => to)))
    .option('--model <model>', 'base model (default: the one named by the adapter)')
    .option(
      '--out <path>',
      'new file or folder (default: a name that says what it is, in exports/ of the run, or in this folder)',
    );
  withExportOptions(
    command,
    exportTargets.map(({ target }) => target),
  )
    .addHelpText(
      'after',
      `
llama.cpp:  llama-cli -m BASE.gguf --lora F.gguf
mlx-lm:     mlx_lm.generate --model BASE --adapter-path F

An adapter alone (gguf, mlx) must be LoRA. What can't be expressed as LoRA (DoRA, modules_to_save, biases, most other
methods) can be merged instead. \`tunewright describe exports\` lists all targets with their options.
With RUN and --force, exports that are there already are made again. With --dry-run and no --to, all targets are
planned.`,
    )
    .action(run);
}

async function run(folder: string | undefined, flags: ExportFlags & { to?: string }, command: Command): Promise<void> {
  if (folder !== undefined) return exportListed(folder, flags, command);
  const target = exportTargets.find(({ to }) => to === flags.to)?.target;
  if (!target && flags.dryRun) {
    refuseOthers(
      command,
      ['adapter', 'model', 'dryRun', 'progress', 'json', 'backend', 'threads'],
      'It belongs to a target: add --to.',
    );
    return planAll(flags);
  }
  if (!target)
    throw new InputError('no target is named', {
      key: '--to',
      hint: `Choose one of ${exportTargets.map(({ to }) => to).join(', ')}, or name the folder of a run that lists exports.`,
    });
  await runExport(target, flags, () => ({ format: flags.to }));
}

/** @throws InputError if an option is given that isn't one of these */
function refuseOthers(command: Command, allowed: readonly string[], hint: string): void {
  const other = command.options.find(option => {
    const name = option.attributeName();
    return !allowed.includes(name) && command.getOptionValueSource(name) === 'cli';
  });
  if (other) throw new InputError('this option has no effect here', { key: other.long!, hint });
}

async function exportListed(given: string, flags: ExportFlags, command: Command): Promise<void> {
  refuseOthers(
    command,
    ['force', 'json', 'backend', 'threads'],
    'With RUN, the exports of its run.json are made. For another one: tunewright export --adapter ADAPTER --to TARGET.',
  );
  const folder = runFolderGiven(given);
  const progress = progressDisplay();
  const exports = await interruptible(signal =>
    exportRun(folder, {
      all: flags.force ?? false,
      engine: engineOf(flags),
      reporter: progress,
      signal,
      onEvent: event => {
        progress.finish();
        if (event.type === 'export_failed') printNote(exportFailureText(event));
      },
    }),
  );
  printAnswer(exports, flags.json, ({ exported, kept }) =>
    [
      ...exported.map(exportedText),
      ...(kept > 0
        ? [`${counted(kept, 'export')} ${kept === 1 ? 'was' : 'were'} there already (--force: again).`]
        : []),
    ].join('\n'),
  );
  checkExports(folder, exports);
}

/** @throws CodedError that says how to do it again, if an export has failed */
export function checkExports(folder: string, { exported, kept, failures }: RunExports): void {
  const [failure] = failures;
  if (!failure) return;
  throw new CodedError(
    failure.code,
    `${failures.length} of ${counted(exported.length + kept + failures.length, 'export')} failed`,
    {
      file: folder,
      hint: `The result of the run is complete. Try again with: tunewright export ${folder}`,
    },
  );
}
