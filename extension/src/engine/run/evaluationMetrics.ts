// What the evaluations of a run measure in addition to the loss, and the metric by which its best checkpoint is chosen. Found and
// checked before a run starts; called by prepareRun.ts.
import { textMetricsNamed, type TextMetric } from '../../core/evaluation/textMetrics.js';
import { suggestion } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { bestMetricOf, VALIDATION_LOSS } from '../../core/runs/bestMetric.js';
import type { MetricInfo } from '../../protocol/engineEvent.js';
import { TEXT_METRIC_NAMES } from '../../protocol/runConfig.js';
import { fittingPrompt } from '../generation/prompt.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';
import { usableLength, type AttachedMethod } from '../peft/attachedMethod.js';
import { FORGETTING_METRICS } from '../training/forgetting.js';
import type { Objective } from '../training/objectives/objective.js';
import type { RowSet } from '../training/stepPlan.js';
import { datasetQuestions, spacedRows, type DatasetQuestion } from './answerDataset.js';
import type { RunFile } from './readRunFile.js';
import type { Reporter } from './reporter.js';

export interface EvaluationMetrics {
  /** Described, in the order in which they are shown. */
  infos: readonly MetricInfo[];
  best: MetricInfo;
  /** What is asked for `text`; empty if that is. */
  questions: readonly DatasetQuestion[];
  text: readonly TextMetric[];
}

export interface EvaluatedRun {
  onDisk: ModelOnDisk;
  attached: AttachedMethod;
  validation: RowSet | null;
  objective: Objective;
  /** Whether forgetting is measured. */
  forgetting: boolean;
  reporter: Reporter;
}

/** @throws InputError for a metric that can't be measured */
export async function evaluationMetrics(run: RunFile, evaluated: EvaluatedRun): Promise<EvaluationMetrics> {
  const { training } = run.config;
  const { validation, objective, forgetting } = evaluated;
  const text = textMetricsNamed(training.eval_metrics);
  const infos = [
    ...objective.metrics.map(({ of: _of, ...info }) => info),
    ...(forgetting ? FORGETTING_METRICS : []),
    ...text.map(({ of: _of, latinWords: _latinWords, ...info }) => info),
  ];
  if (text.length > 0 && !validation) throw nothingEvaluated(run, 'training.eval_metrics');
  const best = bestMetricOf(training, infos);
  if (!best) throw notMeasured(run, infos);
  if (best.name !== VALIDATION_LOSS.name && !validation) throw nothingEvaluated(run, 'training.metric_for_best_model');
  return { infos, best, text, questions: validation ? await questionsOf(run, validation, text, evaluated) : [] };
}

function nothingEvaluated({ path }: RunFile, key: string): InputError {
  return new InputError('this run evaluates nothing: it has no validation rows', {
    file: path,
    key,
    hint: `Set dataset.validation to a share of the rows, such as 0.1, or to a file; or leave ${key} out.`,
  });
}

function notMeasured({ path, config }: RunFile, infos: readonly MetricInfo[]): InputError {
  const { metric_for_best_model: name } = config.training;
  const measured = [VALIDATION_LOSS, ...infos].map(info => info.name);
  const bare = name.replace(/^eval_/, '');
  const hints: [readonly string[], string][] = [
    [TEXT_METRIC_NAMES, `Add it to training.eval_metrics.`],
    [FORGETTING_METRICS.map(info => info.name), 'It is one of training.measure_forgetting.'],
    [[bare], `Name one of these: ${suggestion(bare, measured)}`],
  ];
  return new InputError(`${JSON.stringify(name)} isn't measured in this run; measured are ${measured.join(', ')}`, {
    file: path,
    key: 'training.metric_for_best_model',
    hint: hints.find(([names]) => names.includes(bare))![1],
  });
}

/** @throws InputError if no row has a question and an answer, or one is longer than the model reads */
async function questionsOf(
  run: RunFile,
  validation: RowSet,
  metrics: readonly TextMetric[],
  { onDisk: { tokenizer }, attached, reporter }: EvaluatedRun,
): Promise<DatasetQuestion[]> {
  if (metrics.length === 0) return [];
  const { dataset: config, training } = run.config;
  const { architecture } = attached;
  const key = 'training.eval_metrics';
  const questions = await datasetQuestions({
    rows: spacedRows(validation, training.eval_metrics_rows),
    config,
    metrics,
    maxNewTokens: training.eval_max_new_tokens,
    hasChatTemplate: tokenizer.chatTemplate !== null,
    reporter,
    key,
  });
  const room = { positions: usableLength(architecture, attached), maxNewTokens: training.eval_max_new_tokens };
  for (const { question, at } of questions) {
    try {
      fittingPrompt(tokenizer, question, room);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(error.message, { ...error.record(), ...at, key });
    }
  }
  return questions;
}
