// Statistics of a row table (lengths, shares, problems), and which rows of a large file to sample. Called by
// analysedDataset.ts.
import { PROBLEM_CODES } from '../../../core/data/rowAnalysis.js';
import type { RowTable } from './rowTable.js';
import type { DatasetSummary, LengthBin, ReadingSettings } from './workerMessages.js';

const SAMPLE_RANGES = 128;
const RANGE_ROWS = 64;
const BINS = 48;

/** Ranges `[from, to)` spread evenly over the rows; a single range if there are few rows. */
export function sampledRows(rows: number): [number, number][] {
  if (rows <= SAMPLE_RANGES * RANGE_ROWS) return [[0, rows]];
  return Array.from({ length: SAMPLE_RANGES }, (_, i) => {
    const from = Math.floor((i * (rows - RANGE_ROWS)) / (SAMPLE_RANGES - 1));
    return [from, from + RANGE_ROWS];
  });
}

export function problemCounts(table: RowTable): DatasetSummary['problems'] {
  const counts: DatasetSummary['problems'] = {};
  for (let row = 0; row < table.length; row++) {
    if (!table.hasProblem(row)) continue;
    for (const code of table.problems(row)) counts[code] = (counts[code] ?? 0) + 1;
  }
  return Object.fromEntries(PROBLEM_CODES.flatMap(code => (counts[code] ? [[code, counts[code]]] : [])));
}

/**
 * `tokens` and `labelShare` are those of a run: rows are cut at max_length, and rows that it leaves out don't count.
 * Tokens of rows outside the sample are extrapolated from their size.
 */
export function lengthStatistics(
  table: RowTable,
  { maxLength, truncation }: Pick<ReadingSettings, 'maxLength' | 'truncation'>,
): Pick<DatasetSummary, 'countedRows' | 'tokens' | 'labelShare' | 'longest' | 'median' | 'histogram'> {
  let countedRows = 0;
  let tokens = 0;
  let labelTokens = 0;
  let countedUnits = 0;
  let units = 0;
  let longest = 0;
  for (let row = 0; row < table.length; row++) {
    units += table.size(row);
    if (!table.isCounted(row)) continue;
    const length = table.tokens.get(row);
    const labels = table.labelTokens.get(row);
    countedRows++;
    countedUnits += table.size(row);
    if (length > longest) longest = length;
    if (labels === 0 || (truncation === 'drop' && length > maxLength)) continue;
    tokens += Math.min(length, maxLength);
    labelTokens += labels;
  }
  const all = countedUnits > 0 ? Math.round((tokens * units) / countedUnits) : 0;
  return {
    countedRows,
    tokens: countedRows === table.length ? tokens : all,
    labelShare: tokens > 0 ? labelTokens / tokens : 0,
    longest,
    ...histogram(table, Math.max(longest, maxLength)),
  };
}

/** Bins of equal width up to the longest row or max_length, whichever is longer. */
function histogram(table: RowTable, upTo: number): { histogram: LengthBin[]; median: number } {
  const counts = new Uint32Array(upTo + 1);
  for (let row = 0; row < table.length; row++) if (table.isCounted(row)) counts[table.tokens.get(row)]++;
  // Rows that can't be tokenized have no length.
  counts[0] = 0;
  const measured = counts.reduce((sum, rows) => sum + rows, 0);
  let median = 0;
  for (let shorter = counts[0]; median < upTo && shorter * 2 < measured; shorter += counts[median]) median++;
  const width = niceWidth((upTo + 1) / BINS);
  const found: LengthBin[] = [];
  for (let from = 0; from <= upTo; from += width) {
    const to = from + width;
    found.push({ from, to, rows: counts.subarray(from, Math.min(to, upTo + 1)).reduce((sum, rows) => sum + rows, 0) });
  }
  return { histogram: found, median };
}

/** Rounds up to 1, 2, 5, 10, 20, 50, ... */
function niceWidth(width: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, width)));
  return Math.max(1, [1, 2, 5, 10].map(step => step * power).find(step => step >= width) as number);
}
