// `tunewright evaluate`: what a model makes of a dataset (evaluateDataset.ts) or of a suite (evaluateSuite.ts).
import { Option, type Command } from 'commander';
import { ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { textMetrics, type TextMetric } from '../../core/evaluation/textMetrics.js';
import { suggestion } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { positiveNumber, share, withEngineOptions, withWeightOptions } from './engineOptions.js';
import { evaluateDataset, type DatasetFlags } from './evaluateDataset.js';
import { evaluateSuite, type SuiteFlags } from './evaluateSuite.js';

type EvaluateFlags = Omit<DatasetFlags & SuiteFlags, 'adapter' | 'dataset' | 'suite' | 'metrics'> & {
  adapter?: string[];
  dataset?: string;
  suite?: string;
  metrics?: string;
};

/** Options that only one of the two has. */
const OWN_OPTIONS = {
  dataset: ['format', 'maxLength', 'batchSize', 'trainOn', 'perToken', 'worst', 'metrics', 'maxNewTokens'],
  suite: ['base', 'junit', 'failUnder'],
} as const;

const METRIC_NAMES = textMetrics.map(({ name }) => name);

export function registerEvaluateCommand(program: Command): void {
  const command = program
    .command('evaluate')
    .description('compute loss, perplexity and token accuracy on a dataset, or check the answers to a suite')
    .requiredOption('--model <model>', 'folder, .gguf file, hub id or embedded:tiny')
    .option('--adapter <folder...>', 'adapter to evaluate; with --suite any number, each as NAME=PATH')
    .option('--dataset <file>', `${ROW_FILE_EXTENSIONS.join(', ')}, or a folder with one`)
    .option('--suite <file>', 'evaluation suite (*.eval.jsonl); the base and each adapter answer it')
    .option('--format <name>', 'format of the rows', 'auto')
    .option('--max-length <tokens>', 'longest sequence', positiveNumber, 512)
    .option('--batch-size <count>', 'sequences in one forward pass', positiveNumber, 4)
    .addOption(
      new Option('--train-on <what>', 'tokens on which the loss is computed')
        .choices(['completions', 'all'])
        .default('completions'),
    )
    .option('--per-token <file>', 'write the loss of each of these tokens, one JSON object per row and line')
    .option('--worst <count>', 'also list the rows with the highest loss', positiveNumber)
    .option('--metrics <names>', `let the model answer the rows too, greedily: any of ${METRIC_NAMES.join(',')}`)
    .option('--max-new-tokens <count>', 'longest answer for --metrics', positiveNumber, 128)
    .option('--no-base', 'with --suite, let the adapters answer only')
    .option('--junit <file>', 'also write the results of the suite as JUnit XML')
    .option('--fail-under <p>', 'exit with 1 if an adapter (the base if there is none) scores lower', share)
    .option('--json', 'print one JSON object');
  withWeightOptions(withEngineOptions(command)).action(run);
}

async function run(flags: EvaluateFlags, command: Command): Promise<void> {
  const { dataset, suite, adapter } = flags;
  if ((dataset === undefined) === (suite === undefined))
    throw new InputError(
      dataset === undefined ? 'there is nothing to evaluate on' : 'there are a dataset and a suite',
      {
        key: dataset === undefined ? '--dataset' : '--suite',
        hint: 'Name either a dataset, for loss and accuracy, or a suite, whose checks the answers must meet.',
      },
    );
  const other = suite === undefined ? 'suite' : 'dataset';
  const foreign = OWN_OPTIONS[other].find(name => command.getOptionValueSource(name) === 'cli');
  if (foreign !== undefined)
    throw new InputError(`this option is for --${other} only`, { key: `--${kebab(foreign)}`, hint: 'Leave it out.' });
  if (flags.metrics === undefined && command.getOptionValueSource('maxNewTokens') === 'cli')
    throw new InputError('without --metrics the model answers nothing', {
      key: '--max-new-tokens',
      hint: 'Name metrics, or leave it out.',
    });
  if (suite !== undefined) return evaluateSuite({ ...flags, suite });
  if (adapter && adapter.length > 1)
    throw new InputError('only one adapter can be evaluated on a dataset at a time', { key: '--adapter' });
  await evaluateDataset({ ...flags, adapter: adapter?.[0], dataset: dataset!, metrics: metricsNamed(flags.metrics) });
}

/** @throws InputError for an unknown name */
function metricsNamed(names: string | undefined): TextMetric[] {
  const wanted = new Set((names?.split(',') ?? []).map(name => name.trim()));
  for (const name of wanted)
    if (!METRIC_NAMES.includes(name))
      throw new InputError(`unknown metric ${JSON.stringify(name)}; ${suggestion(name, METRIC_NAMES)}`, {
        key: '--metrics',
        hint: `Name any of ${METRIC_NAMES.join(', ')}, separated by commas.`,
      });
  return textMetrics.filter(({ name }) => wanted.has(name));
}

function kebab(name: string): string {
  if (name === 'base') return 'no-base';
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}
