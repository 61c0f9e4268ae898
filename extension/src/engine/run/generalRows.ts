// The rows on which forgetting is measured: the bundled texts, or the first rows of the user's own file. Called before a run starts
// and by `evaluate --forgetting`.
import { encodeExample } from '../../core/data/encodeExample.js';
import { IGNORE_LABEL, countLabels, type EncodedExample } from '../../core/data/example.js';
import { GENERAL_TEXTS } from '../../core/evaluation/generalTexts.js';
import { InputError } from '../../core/inputError.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { datasetConfigSchema } from '../../protocol/datasetConfig.js';
import { datasetFile } from '../data/datasetFile.js';
import { loadDataset } from '../data/loadDataset.js';
import type { Reporter } from './reporter.js';

/** Tokens of a row; later ones aren't used. */
const ROW_TOKENS = 32;
/** Tokens of all rows: they limit time and memory of a measurement, and the base's values that are kept. */
export const ALL_TOKENS = 256;

export interface GeneralRowsOptions {
  /** Path of the user's file; null: the bundled texts. */
  file: string | null;
  tokenizer: TextTokenizer;
  /** Rows of the model's embedding. */
  embeddingRows: number;
  /** Longest sequence that model and method take, in tokens. */
  usableLength: number;
  reporter: Reporter;
  /** What names the file, for messages. */
  key: string;
}

/**
 * Rows whose tokens are all predicted, except the first of each.
 * @throws InputError if the file can't be read or has nothing to predict
 */
export async function generalRows({ key, ...options }: GeneralRowsOptions): Promise<EncodedExample[]> {
  const { file, tokenizer, embeddingRows, usableLength } = options;
  const all =
    file === null
      ? GENERAL_TEXTS.map(text =>
          encodeExample({ kind: 'completion', prompt: '', completion: text }, tokenizer, {
            trainOn: 'all',
            embeddingRows,
          }),
        )
      : await firstRows({ ...options, file });
  const length = Math.min(ROW_TOKENS, usableLength);
  const rows: EncodedExample[] = [];
  let tokens = 0;
  for (const { inputIds, labels } of all) {
    if (tokens + length > ALL_TOKENS) break;
    const row = { inputIds: inputIds.slice(0, length), labels: labels.slice(0, length) };
    // After virtual tokens the first token is predicted too, which the base has nothing to compare with.
    row.labels[0] = IGNORE_LABEL;
    if (countLabels(row.labels) === 0) continue;
    rows.push(row);
    tokens += row.inputIds.length;
  }
  if (rows.length === 0)
    throw new InputError('there is no token to predict in the rows on which forgetting is measured', {
      file: file ?? undefined,
      key,
      hint: `Name a file whose rows have at least 2 tokens; the first ${ROW_TOKENS} of each row are used.`,
    });
  return rows;
}

async function firstRows({
  file,
  tokenizer,
  embeddingRows,
  reporter,
}: Omit<GeneralRowsOptions, 'file' | 'key'> & { file: string }): Promise<EncodedExample[]> {
  const dataset = await loadDataset({
    file: datasetFile(file, 'validation'),
    // Longer rows are cut above; a limit here would warn of each of them.
    config: datasetConfigSchema.parse({ train: file, train_on: 'all', max_length: Number.MAX_SAFE_INTEGER }),
    tokenizer,
    embeddingRows,
    role: 'validation',
    onWarning: reporter.warn,
  });
  try {
    return Array.from({ length: Math.min(dataset.length, ALL_TOKENS) }, (_, i) => dataset.get(i));
  } finally {
    dataset.close();
  }
}
