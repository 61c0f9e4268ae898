// `tunewright export`: an adapter, or the model with adapters merged into it, for another program.
import { Option, type Command } from 'commander';
import { exportSchemas } from '../../protocol/exportConfig.js';
import { exportTargets } from '../export/targets/registry.js';
import { runExport, withExportOptions, type ExportFlags } from './exportOptions.js';

export function registerExportCommand(program: Command): void {
  const targets = exportTargets.filter(({ to }) => to !== null);
  const described = targets.map(({ to, target }) => `${to}: ${exportSchemas[target].meta()!.title}`);
  const command = program
    .command('export')
    .description('write an adapter, or the model with adapters merged into it, for another program')
    .option('--adapter <folder...>', 'adapter folder of PEFT or of a run; several are merged in this order')
    .addOption(
      new Option('--to <target>', described.join('; ')).choices(targets.map(({ to }) => to!)).makeOptionMandatory(),
    )
    .option('--model <model>', 'base model (default: the one named by the adapter)')
    .option(
      '--out <path>',
      'new file or folder (default: a name that says what it is, in exports/ of the run, or in this folder)',
    );
  withExportOptions(
    command,
    targets.map(({ target }) => target),
  )
    .addHelpText(
      'after',
      `
llama.cpp:  llama-cli -m BASE.gguf --lora F.gguf
mlx-lm:     mlx_lm.generate --model BASE --adapter-path F

An adapter alone (gguf, mlx) must be LoRA. What can't be expressed as LoRA (DoRA, modules_to_save, biases, most other
methods) can be merged instead. \`tunewright describe exports\` lists all targets with their options.`,
    )
    .action(run);
}

function run(flags: ExportFlags & { to: string }): Promise<void> {
  const { target } = exportTargets.find(({ to }) => to === flags.to)!;
  return runExport(target, flags, () => ({ format: flags.to }));
}
