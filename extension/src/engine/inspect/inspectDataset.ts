// Describes a dataset file as a model would see it: counts, lengths, problems of rows, and the first row with its labels. Called
// by the `inspect` command.
import { IGNORE_LABEL, type EncodedExample } from '../../core/data/example.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import { quarantineFile } from '../../protocol/quarantine.js';
import type { DatasetConfig } from '../../protocol/datasetConfig.js';
import { describeDataset, type DatasetDescription } from '../data/describeDataset.js';
import { readQuarantine } from '../data/quarantine.js';
import { loadDataset, type LoadDatasetOptions } from '../data/loadDataset.js';

/** A part of a row's text that is trained on, or not. */
export interface RowPart {
  text: string;
  trained: boolean;
}

export interface DatasetInspection extends DatasetDescription {
  kind: 'dataset';
  /** Entries of its quarantine file, whose rows are left out by runs that name it; null: there is no such file. */
  quarantined: number | null;
  /** Problems of rows, with file and line. */
  warnings: string[];
  firstRow: { line: number; tokens: number; parts: RowPart[] };
}

export interface InspectDatasetOptions extends Pick<LoadDatasetOptions, 'onProgress' | 'embeddingRows'> {
  file: string;
  config: DatasetConfig;
  tokenizer: TextTokenizer;
}

/** @throws InputError if no row can be used */
export async function inspectDataset({ tokenizer, ...options }: InspectDatasetOptions): Promise<DatasetInspection> {
  const warnings: string[] = [];
  const dataset = await loadDataset({
    ...options,
    tokenizer,
    role: 'train',
    anyShare: true,
    onWarning: (_code, message) => warnings.push(message),
  });
  try {
    const first = dataset.get(0);
    return {
      kind: 'dataset',
      ...describeDataset(dataset),
      quarantined: readQuarantine(quarantineFile(dataset.file))?.length ?? null,
      warnings,
      firstRow: {
        line: dataset.sourceOf(0).line,
        tokens: first.inputIds.length,
        parts: rowParts(first, tokenizer),
      },
    };
  } finally {
    dataset.close();
  }
}

/** The row's text, split where labels begin or end. */
export function rowParts({ inputIds, labels }: EncodedExample, tokenizer: TextTokenizer): RowPart[] {
  const parts: RowPart[] = [];
  let start = 0;
  for (let i = 1; i <= inputIds.length; i++) {
    const trained = labels[start] !== IGNORE_LABEL;
    if (i < inputIds.length && (labels[i] !== IGNORE_LABEL) === trained) continue;
    parts.push({ text: tokenizer.decode(inputIds.subarray(start, i)), trained });
    start = i;
  }
  return parts;
}
