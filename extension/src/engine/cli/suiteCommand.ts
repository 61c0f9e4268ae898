// `tunewright suite`: makes an evaluation suite of the held-out rows of a run or a dataset. Its checks are a beginning, to be edited.
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { CHECKS_OF_EXPECTED, DEFAULT_CHECK } from '../../core/evaluation/suiteRow.js';
import { SUITE_EXTENSION } from '../../core/evaluation/isSuiteRow.js';
import { parseSuiteRow } from '../../core/evaluation/suite.js';
import { InputError } from '../../core/inputError.js';
import { counted } from '../../core/units.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { checkNewFile } from '../files/outputFile.js';
import { suiteOfDataset, suiteOfRun, type MadeSuite } from '../run/makeSuite.js';
import { probability, wholeNumber } from './engineOptions.js';
import { printAnswer } from './print.js';
import { progressDisplay } from './progressDisplay.js';

interface SuiteFlags {
  run?: string;
  dataset?: string;
  out: string;
  check: string;
  share: number;
  seed: number;
  force?: boolean;
  json?: boolean;
}

export function registerSuiteCommand(program: Command): void {
  program
    .command('suite')
    .description('make an evaluation suite of dataset rows that are not trained on')
    .option('--run <path>', 'run file or folder of a run: the rows that it holds out')
    .option('--dataset <file>', 'rows of which no run exists yet: those that one with this share and seed holds out')
    .requiredOption('--out <file>', 'suite to write, *.eval.jsonl')
    .addOption(
      new Option('--check <type>', 'how answers are compared with those of the rows')
        .choices(CHECKS_OF_EXPECTED)
        .default(DEFAULT_CHECK),
    )
    .option('--share <p>', 'share of the dataset, as its run’s dataset.validation; 1: all rows', probability, 0.1)
    .option('--seed <n>', 'as the run’s training.seed', wholeNumber, 42)
    .option('--force', 'replace an existing suite')
    .option('--json', 'print one JSON object')
    .action(run);
}

async function run(flags: SuiteFlags, command: Command): Promise<void> {
  const { run: runPath, dataset, check, share, seed } = flags;
  if ((runPath === undefined) === (dataset === undefined))
    throw new InputError(
      runPath === undefined ? 'there are no rows to make a suite of' : 'there are a run and a dataset',
      {
        key: runPath === undefined ? '--run' : '--dataset',
        hint: 'Name either a run, for the rows that it holds out, or a dataset.',
      },
    );
  if (!flags.out.endsWith(SUITE_EXTENSION))
    throw new InputError('a suite is a JSON Lines file', {
      file: flags.out,
      key: '--out',
      hint: 'Name it like tone.eval.jsonl.',
    });
  const ofDataset = (['share', 'seed'] as const).find(name => command.getOptionValueSource(name) === 'cli');
  if (runPath !== undefined && ofDataset)
    throw new InputError('this option is for --dataset; a run has its own', {
      key: `--${ofDataset}`,
      hint: 'Leave it out.',
    });
  const path = resolve(flags.out);
  const checkFree = () => checkNewFile(path, flags.force ?? false);
  checkFree();
  const progress = progressDisplay();
  let made: MadeSuite;
  try {
    made =
      runPath === undefined
        ? await suiteOfDataset(resolve(dataset!), { check, share, seed })
        : await suiteOfRun(runPath, check, progress);
  } finally {
    progress.finish();
  }
  const { rows, ...left } = made;
  if (rows.length === 0)
    throw new InputError('no held-out row is a question with an answer that isn’t trained on too', {
      file: runPath ?? dataset,
      hint: 'Suites are made of conversations and of prompts with completions.',
    });
  // A check that an answer doesn't suit, such as number, is refused here rather than when the suite is used.
  rows.forEach((row, i) => parseSuiteRow({ ...row }, { file: flags.out, line: i + 1 }));
  // Also of what has come there in the meantime.
  checkFree();
  writeFileAtomically(path, append => {
    for (const row of rows) append(Buffer.from(`${JSON.stringify(row)}\n`));
  });
  printAnswer({ file: path, rows: rows.length, ...left }, flags.json, () =>
    [
      `${counted(rows.length, 'row')} in ${flags.out}`,
      ...(left.repeated > 0
        ? [`  ${counted(left.repeated, 'row')} left out: trained on too, or twice among the held-out ones`]
        : []),
      ...(left.unanswered > 0 ? [`  ${counted(left.unanswered, 'row')} left out: no question with an answer`] : []),
    ].join('\n'),
  );
}
