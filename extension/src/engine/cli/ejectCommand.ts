// `tunewright eject`: a run as a Python program with Transformers and PEFT.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { ejectable, ejectRun } from '../export/ejectRun.js';
import { readRunFile } from '../run/readRunFile.js';
import { progressDisplay } from './progressDisplay.js';
import { interruptible } from './failure.js';
import { printAnswer } from './print.js';
import { runFileGiven } from './runPaths.js';

interface EjectFlags {
  out: string;
  force?: boolean;
  json?: boolean;
}

export function registerEjectCommand(program: Command): void {
  program
    .command('eject')
    .description('write a run as a Python program with Transformers and PEFT: same rows, order, start and schedule')
    .argument('<run>', 'run file, or folder of a run')
    .requiredOption('--out <file>', 'the program, NAME.py; NAME.start and NAME.data are written beside it')
    .option('--force', 'replace existing files')
    .option('--json', 'print one JSON object')
    .addHelpText('after', `\nMethods: ${ejectable().join(', ')}.`)
    .action(eject);
}

async function eject(runFile: string, flags: EjectFlags): Promise<void> {
  const out = resolve(flags.out);
  if (!/\.py$/i.test(out))
    throw new InputError('the name of the program must end in .py', {
      key: '--out',
      file: out,
      hint: `Name it ${flags.out}.py.`,
    });
  const progress = progressDisplay();
  const run = readRunFile(runFileGiven(runFile));
  try {
    const { files, steps, differences, wantsFolder } = await interruptible(signal =>
      ejectRun(run, { out, force: flags.force ?? false, reporter: progress, signal }),
    );
    progress.finish();
    printAnswer({ files, steps, differences, wants_model_folder: wantsFolder }, flags.json, () =>
      [
        ...files,
        ...differences,
        ...(wantsFolder ? [`The model as a folder: tunewright merge --model ${run.config.model} --out FOLDER`] : []),
        `python ${flags.out}${wantsFolder ? ' FOLDER' : ''}`,
      ].join('\n'),
    );
  } finally {
    progress.finish();
  }
}
