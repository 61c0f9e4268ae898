// `tunewright evaluate`: what a model makes of a dataset (evaluateDataset.ts) or of a suite (evaluateSuite.ts), and what it has
// forgotten of its base (evaluateForgetting.ts).
import { Option, type Command } from 'commander';
import { ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { textMetricsNamed, type TextMetric } from '../../core/evaluation/textMetrics.js';
import { suggestion } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { TEXT_METRIC_NAMES } from '../../protocol/runConfig.js';
import { positiveNumber, share, withEngineOptions, withWeightOptions } from './engineOptions.js';
import { evaluateDataset, type DatasetFlags } from './evaluateDataset.js';
import { evaluateForgetting } from './evaluateForgetting.js';
import { evaluateSuite, type SuiteFlags } from './evaluateSuite.js';

type EvaluateFlags = Omit<DatasetFlags & SuiteFlags, 'adapter' | 'dataset' | 'suite' | 'metrics'> & {
  adapter?: string[];
  dataset?: string;
  suite?: string;
  forgetting?: boolean;
  generalTexts?: string;
  metrics?: string;
};

/** What can be evaluated, by its option, in the words of a message. */
const KINDS = { dataset: 'a dataset', suite: 'a suite', forgetting: '--forgetting' } as const;

/** Options that only one of the three has. */
const OWN_OPTIONS = {
  dataset: [
    'format',
    'columns',
    'maxLength',
    'batchSize',
    'trainOn',
    'perToken',
    'worst',
    'metrics',
    'maxNewTokens',
    'progress',
  ],
  suite: ['base', 'junit', 'failUnder'],
  forgetting: ['generalTexts'],
} as const;

export function registerEvaluateCommand(program: Command): void {
  const command = program
    .command('evaluate')
    .description(
      'compute loss, perplexity and token accuracy on a dataset, check the answers to a suite, or measure forgetting',
    )
    .requiredOption('--model <model>', 'folder, .gguf file, hub id or embedded:tiny')
    .option('--adapter <folder...>', 'adapter to evaluate; with --suite any number, each as NAME=PATH')
    .option('--dataset <file>', `${ROW_FILE_EXTENSIONS.join(', ')}, or a folder with one`)
    .option('--suite <file>', 'evaluation suite (*.eval.jsonl); the base and each adapter answer it')
    .option('--forgetting', 'measure how far the adapter has moved from the base on general text')
    .option('--general-texts <file>', 'with --forgetting, rows to measure on instead of the bundled texts')
    .option('--format <name>', 'format of the rows', 'auto')
    .option('--columns <pairs...>', 'your columns for the fields of the format, each as FIELD=COLUMN')
    .option('--max-length <tokens>', 'longest sequence', positiveNumber, 512)
    .option('--batch-size <count>', 'sequences in one forward pass', positiveNumber, 4)
    .addOption(
      new Option('--train-on <what>', 'tokens on which the loss is computed')
        .choices(['completions', 'all'])
        .default('completions'),
    )
    .option('--per-token <file>', 'write the loss of each of these tokens, one JSON object per row and line')
    .option('--worst <count>', 'also list the rows with the highest loss', positiveNumber)
    .option('--metrics <names>', `let the model answer the rows too, greedily: any of ${TEXT_METRIC_NAMES.join(',')}`)
    .option('--max-new-tokens <count>', 'longest answer for --metrics', positiveNumber, 128)
    .option('--no-base', 'with --suite, let the adapters answer only')
    .option('--junit <file>', 'also write the results of the suite as JUnit XML')
    .option('--fail-under <p>', 'exit with 1 if an adapter (the base if there is none) scores lower', share)
    .option('--json', 'print one JSON object')
    .option('--progress', 'with --json and --dataset, print progress and warnings before it, one JSON object per line');
  withWeightOptions(withEngineOptions(command)).action(run);
}

async function run(flags: EvaluateFlags, command: Command): Promise<void> {
  const { dataset, suite, adapter } = flags;
  const [kind, another] = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter(name => flags[name] !== undefined);
  if (kind === undefined || another !== undefined)
    throw new InputError(
      kind === undefined ? 'there is nothing to evaluate on' : `there are ${KINDS[kind]} and ${KINDS[another!]}`,
      {
        key: `--${another ?? 'dataset'}`,
        hint: 'Use one of --dataset, for loss and accuracy, --suite, whose checks the answers must meet, and --forgetting.',
      },
    );
  for (const [owner, names] of Object.entries(OWN_OPTIONS)) {
    const foreign = owner === kind ? undefined : names.find(name => command.getOptionValueSource(name) === 'cli');
    if (foreign !== undefined)
      throw new InputError(`this option is for --${owner} only`, { key: `--${kebab(foreign)}`, hint: 'Leave it out.' });
  }
  if (flags.metrics === undefined && command.getOptionValueSource('maxNewTokens') === 'cli')
    throw new InputError('without --metrics the model answers nothing', {
      key: '--max-new-tokens',
      hint: 'Name metrics, or leave it out.',
    });
  if (flags.progress && !flags.json)
    throw new InputError('progress is printed as JSON', { key: '--progress', hint: 'Add --json, or leave it out.' });
  if (kind === 'forgetting') return evaluateForgetting(flags);
  if (suite !== undefined) return evaluateSuite({ ...flags, suite });
  if (adapter && adapter.length > 1)
    throw new InputError('only one adapter can be evaluated on a dataset at a time', { key: '--adapter' });
  await evaluateDataset({ ...flags, adapter: adapter?.[0], dataset: dataset!, metrics: metricsNamed(flags.metrics) });
}

/** @throws InputError for an unknown name */
function metricsNamed(names: string | undefined): TextMetric[] {
  const wanted = names?.split(',').map(name => name.trim()) ?? [];
  const known: readonly string[] = TEXT_METRIC_NAMES;
  for (const name of wanted)
    if (!known.includes(name))
      throw new InputError(`unknown metric ${JSON.stringify(name)}; ${suggestion(name, known)}`, {
        key: '--metrics',
        hint: `Name any of ${known.join(', ')}, separated by commas.`,
      });
  return textMetricsNamed(wanted);
}

function kebab(name: string): string {
  if (name === 'base') return 'no-base';
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}
