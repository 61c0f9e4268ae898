// Statistics of a loaded dataset, for `inspect` and for tests of the preview. Reads lengths only, not the tokens.
import type { Dataset } from './loadDataset.js';

export interface DatasetDescription {
  file: string;
  format: string;
  rows: number;
  tokens: number;
  /** Share of label tokens, 0 to 1. */
  labelShare: number;
  /** Row lengths in tokens. */
  length: { min: number; mean: number; p50: number; p90: number; p99: number; max: number };
  /** Numbers of rows with problems. */
  problems: { bad: number; truncated: number; dropped: number; allMasked: number };
}

/** Percentiles by the nearest-rank method. */
export function describeDataset(dataset: Dataset): DatasetDescription {
  const { rows, tokens, labelTokens, bad, truncated, dropped, allMasked } = dataset.stats;
  const lengths = Int32Array.from({ length: dataset.length }, (_, i) => dataset.lengthOf(i)).sort();
  const percentile = (share: number) => lengths[Math.max(0, Math.ceil(share * lengths.length) - 1)];
  return {
    file: dataset.file,
    format: dataset.format,
    rows,
    tokens,
    labelShare: labelTokens / tokens,
    length: {
      min: lengths[0],
      mean: tokens / rows,
      p50: percentile(0.5),
      p90: percentile(0.9),
      p99: percentile(0.99),
      max: lengths[lengths.length - 1],
    },
    problems: { bad, truncated, dropped, allMasked },
  };
}
