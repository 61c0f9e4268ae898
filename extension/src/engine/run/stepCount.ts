// How many optimizer steps a run will take, for the time that it will take, and graphs, for the memory: from its rows, of a
// large file from the first of them. Called by `estimate`; training itself counts all of them (training/stepPlan.ts).
import { countLabels } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { planEpoch } from '../data/batches.js';
import { encodeRows } from '../data/loadDataset.js';
import { createRng } from '../data/rng.js';
import { countGraphs, SAMPLE_ROWS, type RowShapes } from './graphCount.js';
import type { RunFile } from './readRunFile.js';
import { readTemplate } from './runRows.js';

export interface StepCount {
  /** null where the rows can't be read: what is wrong with them is for training to tell. */
  steps: number | null;
  /** Graphs of gradients, where steps run captured; 1 where the rows can't be read. */
  graphs: number;
}

/** @param virtualTokens that the method puts before each row */
export async function countSteps(
  run: RunFile,
  tokenizer: TextTokenizer,
  maxLength: number,
  virtualTokens: number,
): Promise<StepCount> {
  const { dataset, training } = run.config;
  try {
    const { lengths, labels, share } = await sampledRows(run, tokenizer, maxLength);
    const graphs = countGraphs({ lengths, labels }, run.config, maxLength, virtualTokens);
    if (training.max_steps > 0) return { steps: training.max_steps, graphs };
    const heldOut = typeof dataset.validation === 'number' ? dataset.validation : 0;
    const { length: batches } = planEpoch({
      dataset: { lengthOf: row => lengths[row]! },
      indices: lengths.map((_, row) => row),
      batchSize: training.per_device_train_batch_size,
      maxLength,
      packing: dataset.packing,
      shuffle: training.shuffle,
      rng: createRng(training.seed),
    });
    const stepsPerEpoch = Math.ceil(((1 - heldOut) * batches) / share / training.gradient_accumulation_steps);
    return { steps: Math.ceil(stepsPerEpoch * training.num_train_epochs), graphs };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { steps: training.max_steps > 0 ? training.max_steps : null, graphs: 1 };
  }
}

/** The file's rows, or its first ones, and the share of the file that these are. */
async function sampledRows(
  { config, resolvePath }: RunFile,
  tokenizer: TextTokenizer,
  maxLength: number,
): Promise<RowShapes & { lengths: number[]; share: number }> {
  const { train, truncation, chat_template: template } = config.dataset;
  const lengths: number[] = [];
  const labels: number[] = [];
  let read = { rows: 0, share: 0 };
  const rows = encodeRows({
    file: resolvePath(train),
    config: config.dataset,
    tokenizer,
    chatTemplate: template === null ? null : readTemplate(resolvePath(template)),
    // Told between two blocks of the file, when the rows of the first are all here.
    onShare: share => (read = { rows: lengths.length, share }),
  });
  for await (const { encoded } of rows) {
    // Where the number of steps is given, the share is not asked for.
    if (config.training.max_steps > 0 && lengths.length === SAMPLE_ROWS) break;
    if (read.rows >= SAMPLE_ROWS && read.share < 1)
      return { lengths: lengths.slice(0, read.rows), labels: labels.slice(0, read.rows), share: read.share };
    const { length } = encoded.inputIds;
    if (length > maxLength && truncation === 'drop') continue;
    lengths.push(Math.min(length, maxLength));
    labels.push(countLabels(encoded.labels, 1, lengths.at(-1)));
  }
  return { lengths, labels, share: 1 };
}
