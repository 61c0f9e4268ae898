// Searches, filters and sorts the rows for the preview's table. Called by analysedDataset.ts.
import type { RowReader } from '../../../rows/rowReader.js';
import type { RowTable } from './rowTable.js';
import { turn } from './turns.js';
import type { RowView } from './workerMessages.js';

const SEARCH_BATCH_ROWS = 256;

/** Row numbers in the order of the view; null: all rows in file order. */
export async function viewOfRows(
  table: RowTable,
  reader: RowReader,
  { sort, descending, search, problem }: RowView,
  signal: AbortSignal,
): Promise<Uint32Array | null> {
  if (search === '' && problem === null && sort === 'position' && !descending) return null;
  const kept: number[] = [];
  const wanted = search.toLowerCase();
  for (let from = 0; from < table.length; from += SEARCH_BATCH_ROWS) {
    const to = Math.min(from + SEARCH_BATCH_ROWS, table.length);
    const texts = wanted === '' ? null : await reader.texts(table.places(from, to));
    for (let row = from; row < to; row++) {
      if (problem !== null && !table.hasProblem(row, problem === 'any' ? undefined : problem)) continue;
      if (texts && !texts[row - from].toLowerCase().includes(wanted)) continue;
      kept.push(row);
    }
    await turn();
    signal.throwIfAborted();
  }
  const order = Uint32Array.from(kept);
  if (sort !== 'position') {
    const keys = new Float64Array(table.length);
    const key = sort === 'length' ? lengthOf(table) : (row: number) => -table.problemRank(row);
    for (const row of order) keys[row] = key(row);
    order.sort((a, b) => keys[a] - keys[b] || (descending ? b - a : a - b));
  }
  return descending ? order.reverse() : order;
}

/** Tokens, extrapolated from the size for rows that were not counted. */
function lengthOf(table: RowTable): (row: number) => number {
  let units = 0;
  let tokens = 0;
  for (let row = 0; row < table.length; row++) {
    if (!table.isCounted(row)) continue;
    units += table.size(row);
    tokens += table.tokens.get(row);
  }
  const tokensPerUnit = units > 0 ? tokens / units : 1;
  return row => (table.isCounted(row) ? table.tokens.get(row) : table.size(row) * tokensPerUnit);
}
