// How many optimizer steps a run will take, for the time that it will take: from its rows, of a large file from the first
// of them. Called by `estimate`; training itself counts all of them (training/stepPlan.ts).
import { InputError } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { planEpoch } from '../data/batches.js';
import { encodeRows } from '../data/loadDataset.js';
import { createRng } from '../data/rng.js';
import type { RunFile } from './readRunFile.js';
import { readTemplate } from './runRows.js';

/** So many say enough of the others. */
const SAMPLE_ROWS = 1000;

/** null where the rows can't be read: what is wrong with them is for training to tell. */
export async function countSteps(run: RunFile, tokenizer: TextTokenizer, maxLength: number): Promise<number | null> {
  const { dataset, training } = run.config;
  if (training.max_steps > 0) return training.max_steps;
  try {
    const { lengths, share } = await rowLengths(run, tokenizer, maxLength);
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
    return Math.ceil(stepsPerEpoch * training.num_train_epochs);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

/** Tokens of the file's rows, or of its first ones, and the share of the file that these are. */
async function rowLengths(
  { config, resolvePath }: RunFile,
  tokenizer: TextTokenizer,
  maxLength: number,
): Promise<{ lengths: number[]; share: number }> {
  const { train, truncation, chat_template: template } = config.dataset;
  const lengths: number[] = [];
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
    if (read.rows >= SAMPLE_ROWS && read.share < 1) return { lengths: lengths.slice(0, read.rows), share: read.share };
    const { length } = encoded.inputIds;
    if (length <= maxLength || truncation !== 'drop') lengths.push(Math.min(length, maxLength));
  }
  return { lengths, share: 1 };
}
