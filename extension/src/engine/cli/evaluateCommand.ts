// `tunewright evaluate`: loss, perplexity and token accuracy of a model on rows; with a suite, its answers
// (evaluateSuite.ts); what it has forgotten of its base (evaluateForgetting.ts).
import { resolve } from 'node:path';
import { CodedError } from '../../core/codedError.js';
import { InputError } from '../../core/inputError.js';
import { Option, type Command } from 'commander';
import { ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { datasetConfigSchema } from '../../protocol/runConfig.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { Batch } from '../data/batch.js';
import { batchesOf, planEpoch } from '../data/batches.js';
import { datasetFile } from '../data/datasetFile.js';
import { loadDataset, type Dataset } from '../data/loadDataset.js';
import { createRng } from '../data/rng.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { loadAdapter, openAdapter } from '../peft/adapterFiles.js';
import { usableLength } from '../peft/attachedMethod.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import { openModel, openModelFiles } from '../run/openModel.js';
import { evaluate } from '../training/evaluate.js';
import { CapturedGraphs } from '../training/capturedGraphs.js';
import { capturedScore, scoring } from '../training/capturedScore.js';
import { causalLm } from '../training/objectives/causalLm.js';
import { lossesByRow, type RowLosses } from '../training/tokenLosses.js';
import { scoreBatch } from '../training/trainingStep.js';
import {
  engineOf,
  positiveNumber,
  share,
  weightsOf,
  withEngineOptions,
  withWeightOptions,
  type EngineFlags,
  type WeightFlags,
} from './engineOptions.js';
import { evaluateForgetting } from './evaluateForgetting.js';
import { evaluateSuite } from './evaluateSuite.js';
import { progressDisplay } from './progressDisplay.js';
import { metricsText } from '../../core/metrics/metricText.js';
import { count } from '../../core/units.js';
import { print, printJson } from './print.js';

interface EvaluateFlags extends EngineFlags, WeightFlags {
  model: string;
  adapter?: string[];
  dataset?: string;
  suite?: string;
  forgetting?: boolean;
  generalTexts?: string;
  format: string;
  maxLength: number;
  batchSize: number;
  trainOn: string;
  perToken?: string;
  base: boolean;
  junit?: string;
  failUnder?: number;
  json?: boolean;
}

type DatasetFlags = Omit<EvaluateFlags, 'adapter'> & { adapter: string | undefined; dataset: string };

/** What can be evaluated, by its option, in the words of a message. */
const KINDS = { dataset: 'a dataset', suite: 'a suite', forgetting: '--forgetting' } as const;

/** Options that only one of the three has. */
const OWN_OPTIONS = {
  dataset: ['format', 'maxLength', 'batchSize', 'trainOn', 'perToken'],
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
    .option('--max-length <tokens>', 'longest sequence', positiveNumber, 512)
    .option('--batch-size <count>', 'sequences in one forward pass', positiveNumber, 4)
    .addOption(
      new Option('--train-on <what>', 'tokens on which the loss is computed')
        .choices(['completions', 'all'])
        .default('completions'),
    )
    .option('--per-token <file>', 'write the loss of each of these tokens, one JSON object per row and line')
    .option('--no-base', 'with --suite, let the adapters answer only')
    .option('--junit <file>', 'also write the results of the suite as JUnit XML')
    .option('--fail-under <p>', 'exit with 1 if an adapter (the base if there is none) scores lower', share)
    .option('--json', 'print one JSON object');
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
  if (kind === 'forgetting') return evaluateForgetting(flags);
  if (suite !== undefined) return evaluateSuite({ ...flags, suite });
  if (adapter && adapter.length > 1)
    throw new InputError('only one adapter can be evaluated on a dataset at a time', { key: '--adapter' });
  await evaluateDataset({ ...flags, adapter: adapter?.[0], dataset: dataset! });
}

function kebab(name: string): string {
  if (name === 'base') return 'no-base';
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}

async function evaluateDataset(flags: DatasetFlags): Promise<void> {
  const progress = progressDisplay();
  const base = await openModelFiles(flags.model, '.', progress);
  const options = { files: base.files, onWarning: progress.warn };
  const saved = flags.adapter === undefined ? null : openAdapter(flags.adapter, base.architecture, options);
  const onDisk = saved ? modelForAdapter(base, saved, progress.warn) : base;
  const config = datasetConfigSchema.parse({
    train: flags.dataset,
    format: flags.format,
    max_length: Math.min(flags.maxLength, usableLength(onDisk.architecture, saved?.attached ?? null)),
    train_on: flags.trainOn,
  });
  const dataset = await loadDataset({
    file: datasetFile(resolve(flags.dataset), 'validation'),
    config,
    tokenizer: onDisk.tokenizer,
    embeddingRows: (saved?.attached ?? base).architecture.vocabSize,
    role: 'validation',
    onWarning: progress.warn,
    onProgress: ({ share, rows }) => progress.progress('tokenize', Math.round(share * 1000), 1000, `${rows} rows`),
  });
  const { model, backend } = await openModel(onDisk, { ...engineOf(flags), ...weightsOf(flags) }, progress);
  const compile = backend.name === 'tensorflow';
  const adapter = saved && loadAdapter(saved, model);
  saved?.close();
  const plans = planEpoch({
    dataset,
    indices: Array.from({ length: dataset.length }, (_, i) => i),
    batchSize: flags.batchSize,
    maxLength: config.max_length,
    packing: true,
    shuffle: false,
    rng: createRng(0),
  });
  const { virtualTokens } = adapter?.attached ?? {};
  const batches = batchesOf(plans, dataset, { virtualTokens, firstVirtualId: base.architecture.vocabSize });
  const forward = adapter?.forwardOptions ?? {};
  const objective = causalLm;
  const eagerly = (batch: Batch) => scoreBatch({ objective, model }, forward, batch);
  const graphs = new CapturedGraphs();
  const sizes = { batchSize: flags.batchSize, maxLength: config.max_length };
  const captured = (batch: Batch) => capturedScore(graphs, { objective, model, adapter }, batch, sizes);
  const score = compile ? scoring(captured, eagerly, progress.warn) : eagerly;
  const rows: RowLosses[] = [];
  let done = 0;
  const result = await evaluate(objective, score, batches, ({ losses }, batch) => {
    if (flags.perToken !== undefined) rows.push(...lossesByRow(plans[done]!, batch, losses));
    progress.progress('evaluate', ++done, plans.length);
  });
  graphs.dispose();
  progress.finish();
  if (!Number.isFinite(result.loss))
    throw new CodedError('diverged', 'the loss is non-finite', {
      file: flags.adapter ?? flags.model,
      hint: 'A weight of it is NaN or infinite: download it again, or train it with a lower learning rate.',
    });
  if (flags.perToken !== undefined) writeRowLosses(resolve(flags.perToken), rows, dataset, onDisk.tokenizer);
  if (flags.json)
    printJson({
      loss: result.loss,
      ...result.metrics,
      num_label_tokens: result.numLabelTokens,
      rows: dataset.length,
    });
  else
    print(
      `loss ${result.loss.toFixed(4)}  ${metricsText(objective.metrics, result.metrics)}  ` +
        `(${count(dataset.length)} rows, ${count(result.numLabelTokens)} label tokens)`,
    );
  adapter?.dispose();
  model.dispose();
  dataset.close();
  onDisk.files.close();
}

/** `row` counts the rows that were evaluated; `line` is the row's in the file, from which rows may have been left out. */
function writeRowLosses(path: string, rows: readonly RowLosses[], dataset: Dataset, tokenizer: TextTokenizer): void {
  writeFileAtomically(path, append => {
    for (const { row, tokenIds, losses } of rows) {
      const tokens = tokenIds.map(id => tokenizer.decode([id]));
      append(
        Buffer.from(
          `${JSON.stringify({ row, line: dataset.sourceOf(row).line, tokens, token_ids: tokenIds, losses })}\n`,
        ),
      );
    }
  });
}
