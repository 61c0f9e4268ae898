// Counts the optimizer steps of a run and its longest sequence, for estimates of time and memory: from all rows, or from the first
// rows of a large file. Training itself uses all rows (training/stepPlan.ts).
import { countLabels } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { planEpoch } from '../data/batches.js';
import { datasetFile } from '../data/datasetFile.js';
import { encodeRows } from '../data/loadDataset.js';
import { createRng } from '../data/rng.js';
import type { RunShape } from '../training/runShape.js';
import type { RunFile } from './readRunFile.js';
import { excludedRows } from './excludedRows.js';
import { countGraphs, longestSequence, SAMPLE_ROWS, type RowShapes } from './rowShapes.js';
import { tokenizerWithTemplateOf } from './runRows.js';

export interface StepCount {
  /** null if the rows can't be read; training reports why. */
  steps: number | null;
  /** Gradient graphs, if steps are captured; 1 if the rows can't be read. */
  graphs: number;
  /** Tokens of the longest sequence; the run's maximum if the rows can't be read, or are too many to read all. */
  sequenceLength: number;
}

/** @param embeddingRows of the model, which the rows' ids must be within */
export async function countSteps(
  run: RunFile,
  tokenizer: TextTokenizer,
  shape: RunShape,
  embeddingRows: number,
): Promise<StepCount> {
  const { dataset, training } = run.config;
  const unread = {
    steps: training.max_steps > 0 ? training.max_steps : null,
    graphs: 1,
    sequenceLength: shape.maxLength,
  };
  try {
    const { lengths, labels, share } = await sampledRows(run, tokenizer, shape.maxLength, embeddingRows);
    const rows = {
      longest: lengths.reduce((longest, length) => Math.max(longest, length), 0),
      tokens: lengths.reduce((sum, length) => sum + length, 0),
    };
    const counted = {
      graphs: countGraphs({ lengths, labels }, training, shape),
      sequenceLength: lengths.length > 0 && share === 1 ? longestSequence(rows, shape) : shape.maxLength,
    };
    if (training.max_steps > 0) return { ...counted, steps: training.max_steps };
    const heldOut = typeof dataset.validation === 'number' ? dataset.validation : 0;
    const { length: batches } = planEpoch({
      ...shape,
      dataset: { lengthOf: row => lengths[row]! },
      indices: lengths.map((_, row) => row),
      shuffle: training.shuffle,
      rng: createRng(training.seed),
    });
    const stepsPerEpoch = Math.ceil(((1 - heldOut) * batches) / share / shape.gradientAccumulationSteps);
    return { ...counted, steps: Math.ceil(stepsPerEpoch * training.num_train_epochs) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return unread;
  }
}

/** All rows of the file, or its first ones, and the share of the file that they are. */
async function sampledRows(
  run: RunFile,
  tokenizer: TextTokenizer,
  maxLength: number,
  embeddingRows: number,
): Promise<RowShapes & { lengths: number[]; share: number }> {
  const { config, resolvePath } = run;
  const { train, truncation } = config.dataset;
  const lengths: number[] = [];
  const labels: number[] = [];
  let read = { rows: 0, share: 0 };
  const rows = encodeRows({
    file: datasetFile(resolvePath(train), 'train'),
    config: config.dataset,
    exclude: excludedRows(run),
    // Left out by training too, which reports them.
    onBadRow: () => {},
    tokenizer: tokenizerWithTemplateOf(run, tokenizer),
    embeddingRows,
    // Called between two blocks of the file, when all rows of the earlier block have been read.
    onShare: share => (read = { rows: lengths.length, share }),
  });
  for await (const { encoded, isExcluded } of rows) {
    if (isExcluded) continue;
    // If the number of steps is given, the share doesn't matter.
    if (config.training.max_steps > 0 && lengths.length === SAMPLE_ROWS) return { lengths, labels, share: 0 };
    if (read.rows >= SAMPLE_ROWS && read.share < 1)
      return { lengths: lengths.slice(0, read.rows), labels: labels.slice(0, read.rows), share: read.share };
    const { length } = encoded.inputIds;
    if (length > maxLength && truncation === 'drop') continue;
    lengths.push(Math.min(length, maxLength));
    labels.push(countLabels(encoded.labels, 1, lengths.at(-1)));
  }
  return { lengths, labels, share: 1 };
}
