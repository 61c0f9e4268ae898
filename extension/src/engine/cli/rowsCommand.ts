// `tunewright rows`: the training rows of a run, those of one step or all in the order of their losses.
import { Option, type Command } from 'commander';
import { InputError } from '../../core/inputError.js';
import { count, counted } from '../../core/units.js';
import {
  rowOrderSchema,
  type RankedRows,
  type RowLosses,
  type RowOrder,
  type StepRows,
} from '../../protocol/rowLosses.js';
import { rankedRows, stepRows } from '../run/runRowAnswers.js';
import { positiveNumber } from './engineOptions.js';
import { printAnswer } from './print.js';
import { progressDisplay, progressLines } from './progressDisplay.js';
import { brief, table } from './table.js';

interface RowsFlags {
  step?: number;
  losses?: boolean;
  by?: RowOrder;
  top: number;
  json?: boolean;
  progress?: boolean;
}

const EXCERPT = 60;

export function registerRowsCommand(program: Command): void {
  program
    .command('rows')
    .description('list the training rows of a run: those of a step, or those with telling losses')
    .argument('<run>', 'folder of a run')
    .option('--step <n>', 'the rows that this step was trained on', positiveNumber)
    .option('--losses', 'with --step, also measure the losses of these rows under the base and the result')
    .addOption(
      new Option(
        '--by <order>',
        'all rows: suspect (wrong labels first), highest or lowest loss now, or changed most from the base',
      ).choices(rowOrderSchema.options),
    )
    .option('--top <count>', 'with --by, how many rows to list', positiveNumber, 20)
    .option('--json', 'print one JSON object')
    .option('--progress', 'with --json, print progress and warnings before it, one JSON object per line')
    .action(rows);
}

async function rows(run: string, flags: RowsFlags, command: Command): Promise<void> {
  const { step, losses = false, by, top, json } = flags;
  if ((step === undefined) === (by === undefined))
    throw new InputError(step === undefined ? 'there is nothing to list' : 'there are a step and an order', {
      key: step === undefined ? '--step' : '--by',
      hint: 'Use either --step, for the rows of one step, or --by, for all rows in an order.',
    });
  const foreign = step === undefined ? losses && '--losses' : command.getOptionValueSource('top') === 'cli' && '--top';
  if (foreign)
    throw new InputError(`this option is for ${step === undefined ? '--step' : '--by'} only`, {
      key: foreign,
      hint: 'Leave it out.',
    });
  if (flags.progress && !json)
    throw new InputError('progress is printed as JSON', { key: '--progress', hint: 'Add --json, or leave it out.' });
  const progress = flags.progress ? progressLines() : progressDisplay();
  try {
    const answer =
      step === undefined ? await rankedRows(run, by!, top, progress) : await stepRows(run, step, losses, progress);
    progress.finish();
    printAnswer(answer, json, shown => ('step' in shown ? stepText(shown) : rankedText(shown)));
  } finally {
    progress.finish();
  }
}

function stepText({ step, epoch, file, rows }: StepRows): string {
  const heading = `step ${step}, epoch ${epoch}: ${counted(rows.length, 'row')} of ${file}`;
  return `${heading}\n\n${lossTable(rows)}`;
}

function rankedText({ by, file, measured, rows }: RankedRows): string {
  const heading = `${counted(rows.length, 'row')} by ${by} of ${count(measured)} of ${file}`;
  return `${heading}\n\n${lossTable(rows)}`;
}

/** Without columns in which no row has a value. */
function lossTable(rows: readonly RowLosses[]): string {
  const columns = (['then', 'before', 'now'] as const).filter(name => rows.some(row => row[name] !== null));
  const figure = (value: number | null) => value?.toFixed(4) ?? '-';
  const cells = rows.map(row => [
    String(row.line),
    ...columns.map(name => figure(row[name])),
    count(row.label_tokens),
    `${row.quarantined ? '(in quarantine) ' : ''}${brief(row.text, EXCERPT)}`,
  ]);
  const heading = ['line', ...columns, 'label tokens', 'row'];
  return table([heading, ...cells], [...heading.keys()].slice(0, -1));
}
