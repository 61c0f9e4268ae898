// `tunewright inspect`: describes a model, an adapter or a dataset, depending on the path. Prints what inspect/ returns.
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { datasetConfigSchema } from '../../protocol/datasetConfig.js';
import { fileTypeOf, ROW_FILE_EXTENSIONS } from '../../core/data/rowFileTypes.js';
import { datasetFile, isDatasetFolder } from '../data/datasetFile.js';
import type { TensorGroup } from '../inspect/collapse.js';
import { inspectAdapter, isAdapterFolder, type AdapterDescription } from '../inspect/inspectAdapter.js';
import { inspectDataset, type DatasetInspection } from '../inspect/inspectDataset.js';
import { inspectModel, type ModelDescription } from '../inspect/inspectModel.js';
import { findModelFiles, openModelFiles } from '../run/openModel.js';
import { reportLoading } from '../run/reporter.js';
import { offlineOption, positiveNumber } from './engineOptions.js';
import { progressDisplay } from './progressDisplay.js';
import { facts, table } from './table.js';
import { bytes, count, counted, percent } from '../../core/units.js';
import { printAnswer } from './print.js';

interface InspectFlags {
  model: string;
  format: string;
  maxLength?: number;
  trainOn: string;
  offline?: boolean;
  json?: boolean;
}

export function registerInspectCommand(program: Command): void {
  program
    .command('inspect')
    .description('describe a model, an adapter or a dataset')
    .argument('<what>', `model (folder, .gguf, hub id), adapter folder, or dataset (${ROW_FILE_EXTENSIONS.join(', ')})`)
    .option('--model <model>', 'dataset: model whose tokenizer counts the tokens', 'embedded:tiny')
    .option('--format <name>', 'dataset: format of the rows', 'auto')
    .option('--max-length <tokens>', 'dataset: report longer rows', positiveNumber)
    .addOption(
      new Option('--train-on <what>', 'dataset: tokens to train on')
        .choices(['completions', 'all'])
        .default('completions'),
    )
    .addOption(offlineOption())
    .option('--json', 'print one JSON object')
    .action(inspect);
}

async function inspect(what: string, flags: InspectFlags): Promise<void> {
  const print = <T>(description: T, text: (description: T) => string) => printAnswer(description, flags.json, text);
  if (fileTypeOf(what) || isDatasetFolder(resolve(what))) return print(await dataset(what, flags), describeDatasetText);
  if (isAdapterFolder(what)) return print(inspectAdapter(what), describeAdapterText);
  const progress = progressDisplay();
  const files = await findModelFiles(what, '.', progress, !flags.offline);
  progress.finish();
  try {
    print(inspectModel(files), describeModelText);
  } finally {
    files.close();
  }
}

async function dataset(file: string, flags: InspectFlags): Promise<DatasetInspection> {
  const progress = progressDisplay();
  const { tokenizer, architecture, files } = await openModelFiles(flags.model, '.', progress);
  files.close();
  const found = await inspectDataset({
    file: datasetFile(resolve(file), 'train'),
    config: datasetConfigSchema.parse({
      train: file,
      format: flags.format,
      max_length: flags.maxLength ?? Number.MAX_SAFE_INTEGER,
      train_on: flags.trainOn,
    }),
    tokenizer,
    embeddingRows: architecture.vocabSize,
    onProgress: loading => reportLoading(progress, loading),
  });
  progress.finish();
  return found;
}

function describeModelText(model: ModelDescription): string {
  const { rope, tokenizer, defaultTargets } = model;
  const special = Object.entries(tokenizer?.specialTokens ?? {}).map(([name, token]) => `${name} ${token}`);
  const dtypes = Object.entries(model.dtypes).map(([dtype, size]) => `${dtype} ${bytes(size)}`);
  const scaling = rope?.scaling ? `, ${JSON.stringify(rope.scaling)}` : '';
  const { slidingWindow, slidingLayers, numLayers } = model;
  const some = slidingLayers < numLayers ? ` in ${slidingLayers} of ${numLayers} blocks` : '';
  const rows: [string, string][] = [
    ['path', `${model.path} (${model.format})`],
    ['family', model.modelType],
    ['parameters', count(model.parameters)],
    ['on disk', `${bytes(model.diskBytes)}: ${dtypes.join(', ')}`],
    ['in memory', `${bytes(4 * model.parameters)} as float32`],
    ['blocks', `${model.numLayers}, hidden size ${model.hiddenSize}, intermediate size ${model.intermediateSize}`],
    ['attention', `${model.numHeads} heads of ${model.headDim}, ${model.numKeyValueHeads} for keys and values`],
    [
      'context',
      `${count(model.contextLength)} tokens${slidingWindow ? `, sliding window of ${slidingWindow}${some}` : ''}`,
    ],
    ['positions', rope ? `rotary, theta ${rope.theta ?? 'default'}${scaling}` : 'learned'],
    ['vocabulary', `${count(model.vocabSize)}, head ${model.tieWordEmbeddings ? 'tied to the embedding' : 'not tied'}`],
    ['tokenizer', tokenizer ? `${count(tokenizer.vocabSize)} tokens; ${special.join(', ')}` : 'none'],
    ['chat template', model.readsTools ? 'yes, with a place for tools' : model.hasChatTemplate ? 'yes' : 'no'],
    ['LoRA targets', `${defaultTargets.lora.join(', ')} (default)`],
    ['IA3 targets', `${defaultTargets.ia3.join(', ')} (default)`],
    ...model.warnings.map((warning): [string, string] => ['warning', warning]),
  ];
  return [model.reference, facts(rows), '', tensorTable(model.tensors)].join('\n');
}

function describeAdapterText(adapter: AdapterDescription): string {
  const rows: [string, string][] = [
    ['method', adapter.peftType],
    ['base model', adapter.baseModel ?? 'unknown'],
    ['parameters', count(adapter.parameters)],
    ['size', bytes(adapter.diskBytes)],
  ];
  const hidden = new Set(['peft_type', 'base_model_name_or_path']);
  const config = Object.entries(adapter.config)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]): [string, string] => [key, shortJson(value)]);
  return [adapter.folder, facts(rows), '', facts(config), '', tensorTable(adapter.tensors)].join('\n');
}

/** Shortens long lists: "all-linear" is saved as the names of all modules. */
function shortJson(value: unknown): string {
  if (!Array.isArray(value) || value.length <= 8) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, 2)).slice(0, -1)}, ... ${value.length} in total]`;
}

function tensorTable(groups: readonly TensorGroup[]): string {
  const rows = groups.map(({ name, shape, dtype, parameters }) => [
    `  ${name}`,
    shape.join(' x '),
    dtype,
    count(parameters),
  ]);
  return table([['  tensor', 'shape', 'type', 'parameters'], ...rows], [3]);
}

function describeDatasetText(data: DatasetInspection): string {
  const { length } = data;
  const rows: [string, string][] = [
    ['format', data.format],
    ['rows', count(data.rows)],
    ['tokens', `${count(data.tokens)}, ${percent(data.labelShare)} of them trained on`],
    [
      'row length',
      `${length.min} to ${length.max}, mean ${Math.round(length.mean)}, median ${length.p50}, ` +
        `90% up to ${length.p90}, 99% up to ${length.p99}`,
    ],
    ...(data.quarantined === null
      ? []
      : [
          ['quarantine', `${counted(data.quarantined, 'row')}, left out by runs with dataset.exclude`] as [
            string,
            string,
          ],
        ]),
    ...data.warnings.map((warning): [string, string] => ['warning', warning]),
  ];
  const mark = (text: string) => (process.stdout.isTTY ? `\u001b[7m${text}\u001b[0m` : `[[${text}]]`);
  const text = data.firstRow.parts.map(({ text, trained }) => (trained ? mark(text) : text)).join('');
  const marked = process.stdout.isTTY ? 'inverted' : 'in [[ ]]';
  return [
    data.file,
    facts(rows),
    '',
    `First row (line ${data.firstRow.line}, ${data.firstRow.tokens} tokens) as the model sees it; text to train on is ${marked}:`,
    '',
    text,
  ].join('\n');
}
