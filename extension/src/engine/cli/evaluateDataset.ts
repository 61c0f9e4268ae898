// `tunewright evaluate --dataset`: loss, perplexity and token accuracy of a model on rows, the rows with the highest loss, the loss of
// each token, and metrics of the answers that it gives to them.
import { isFull } from '../backend/backend.js';
import { resolve } from 'node:path';
import { describeSource } from '../../core/data/example.js';
import type { TextMetric } from '../../core/evaluation/textMetrics.js';
import { InputError } from '../../core/inputError.js';
import { metricsText } from '../../core/metrics/metricText.js';
import { tokenText } from '../../core/text/textStream.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { count, counted } from '../../core/units.js';
import { datasetConfigSchema } from '../../protocol/datasetConfig.js';
import { datasetFile } from '../data/datasetFile.js';
import { loadDataset, type Dataset } from '../data/loadDataset.js';
import { writeFileAtomically } from '../files/atomicFile.js';
import { checkSecondFile } from '../files/outputFile.js';
import { BASE } from '../generation/session.js';
import { loadAdapter } from '../peft/adapterFiles.js';
import { modelForAdapter } from '../peft/adapterTokenizer.js';
import { usableLength } from '../peft/attachedMethod.js';
import { answeringSession, answerQuestions, datasetQuestions, meanMetrics } from '../run/answerDataset.js';
import { openTrained } from '../run/attachMethod.js';
import { openModel, openModelFiles } from '../run/openModel.js';
import { reportLoading } from '../run/reporter.js';
import { nonFiniteLoss } from '../training/evaluate.js';
import { causalLm } from '../training/objectives/causalLm.js';
import { scoreRows } from '../run/scoreRows.js';
import { maskedSpans, meanLoss, worstRows, type RowLosses } from '../training/tokenLosses.js';
import { engineOf, weightsOf, type EngineFlags, type WeightFlags } from './engineOptions.js';
import { print, printJson } from './print.js';
import { progressDisplay, progressLines } from './progressDisplay.js';
import { table } from './table.js';

/** Its name in the session that answers. */
const ADAPTER = 'adapter';

export interface DatasetFlags extends EngineFlags, WeightFlags {
  model: string;
  adapter: string | undefined;
  dataset: string;
  format: string;
  /** FIELD=COLUMN */
  columns?: readonly string[];
  maxLength: number;
  batchSize: number;
  trainOn: string;
  perToken?: string;
  worst?: number;
  metrics: readonly TextMetric[];
  /** Longest answer. */
  maxNewTokens: number;
  json?: boolean;
  /** With `json`, lines of progress and warnings before the result. */
  progress?: boolean;
}

/** @throws InputError for anything that isn't FIELD=COLUMN */
function columnsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const [, field, column] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
      if (field === undefined)
        throw new InputError(`${JSON.stringify(pair)} is not a field and a column`, {
          key: '--columns',
          hint: 'Write FIELD=COLUMN, such as instruction=question.',
        });
      return [field, column!];
    }),
  );
}

export async function evaluateDataset(flags: DatasetFlags): Promise<void> {
  const file = datasetFile(resolve(flags.dataset), 'validation');
  if (flags.perToken !== undefined) checkSecondFile(resolve(flags.perToken), file, '--per-token');
  const progress = flags.progress ? progressLines() : progressDisplay();
  const base = await openModelFiles(flags.model, '.', progress);
  const options = { files: base.files, onWarning: progress.warn };
  const saved = flags.adapter === undefined ? null : openTrained(flags.adapter, base.architecture, options);
  const onDisk = saved ? modelForAdapter(base, saved, progress.warn) : base;
  const config = datasetConfigSchema.parse({
    train: flags.dataset,
    format: flags.format,
    columns: columnsOf(flags.columns ?? []),
    max_length: Math.min(flags.maxLength, usableLength(onDisk.architecture, saved?.attached ?? null)),
    train_on: flags.trainOn,
  });
  const dataset = await loadDataset({
    file,
    config,
    tokenizer: onDisk.tokenizer,
    embeddingRows: (saved?.attached ?? base).architecture.vocabSize,
    role: 'validation',
    onWarning: progress.warn,
    onProgress: loading => reportLoading(progress, loading),
  });
  const indices = Array.from({ length: dataset.length }, (_, i) => i);
  const questions =
    flags.metrics.length === 0
      ? []
      : await datasetQuestions({
          rows: { dataset, indices },
          config,
          metrics: flags.metrics,
          maxNewTokens: flags.maxNewTokens,
          hasChatTemplate: onDisk.tokenizer.chatTemplate !== null,
          reporter: progress,
          key: '--metrics',
        });
  const { model, backend } = await openModel(onDisk, { ...engineOf(flags), ...weightsOf(flags) }, progress);
  const compile = isFull(backend);
  const adapter = saved && loadAdapter(saved, model);
  saved?.close();
  const rows: RowLosses[] = [];
  const result = await scoreRows({
    ...{ model, adapter, dataset, indices, compile },
    sizes: { batchSize: flags.batchSize, maxLength: config.max_length },
    reporter: progress,
    onRows: losses => {
      if (flags.perToken !== undefined || flags.worst !== undefined) rows.push(...losses());
    },
  });
  progress.finish();
  if (!Number.isFinite(result.loss)) throw nonFiniteLoss('the loss', flags.adapter ?? flags.model);
  const session = answeringSession({ onDisk, model, compile, onWarning: progress.warn }, questions);
  if (adapter) session.share(ADAPTER, adapter);
  const answers =
    questions.length === 0 ? [] : await answerQuestions(session, questions, adapter ? ADAPTER : BASE, progress);
  session.dispose();
  adapter?.dispose();
  model.dispose();
  onDisk.files.close();
  if (flags.perToken !== undefined) writeRowLosses(resolve(flags.perToken), rows, dataset, onDisk.tokenizer);
  const worst = worstRows(rows, flags.worst ?? 0);
  const textScores = answers.length === 0 ? {} : meanMetrics(answers, flags.metrics);
  progress.finish();
  if (flags.json)
    printJson({
      loss: result.loss,
      ...result.metrics,
      ...textScores,
      num_label_tokens: result.numLabelTokens,
      rows: dataset.length,
      ...(flags.worst !== undefined && {
        worst: worst.map(row => ({
          file: dataset.file,
          ...rowRecord(row, dataset, onDisk.tokenizer),
          loss: meanLoss(row),
          masked: maskedSpans(dataset.get(row.row), row.losses.length).map(({ at, tokenIds }) => ({
            at,
            text: onDisk.tokenizer.decode(tokenIds),
          })),
        })),
      }),
      ...(answers.length > 0 && { answers }),
    });
  else {
    print(
      `loss ${result.loss.toFixed(4)}  ${metricsText(causalLm.metrics, result.metrics)}  ` +
        `(${count(dataset.length)} rows, ${count(result.numLabelTokens)} label tokens)`,
    );
    if (answers.length > 0) {
      const scores = Object.entries(textScores).map(([name, score]) => `${name} ${score.toFixed(4)}`);
      print(`${scores.join('  ')}  (${counted(answers.length, 'answer')})`);
    }
    if (worst.length > 0) print(`\n${worstTable(worst, dataset)}`);
  }
  dataset.close();
}

function worstTable(worst: readonly RowLosses[], dataset: Dataset): string {
  const cells = worst.map(row => [
    describeSource(dataset.sourceOf(row.row)),
    meanLoss(row).toFixed(4),
    count(row.losses.length),
  ]);
  return table([['highest loss', 'loss', 'label tokens'], ...cells], [1, 2]);
}

function writeRowLosses(path: string, rows: readonly RowLosses[], dataset: Dataset, tokenizer: TextTokenizer): void {
  writeFileAtomically(path, append => {
    for (const row of rows) append(Buffer.from(`${JSON.stringify(rowRecord(row, dataset, tokenizer))}\n`));
  });
}

/** `row` counts the rows that were evaluated; `line` is the row's in the file, from which rows may have been left out. */
function rowRecord({ row, tokenIds, losses }: RowLosses, dataset: Dataset, tokenizer: TextTokenizer) {
  const tokens = tokenIds.map(id => tokenText(tokenizer, id));
  return { row, line: dataset.sourceOf(row).line, tokens, token_ids: tokenIds, losses };
}
