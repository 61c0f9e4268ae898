// The first rows of a file, read without the rest: for the preview, which shows them without waiting for the worker,
// the tokenizer and the index, and for sample prompts. Imports no vscode and no Parquet reader.
import { chooseFormat, exampleOf } from '../../core/data/chooseFormat.js';
import type { Row } from '../../core/data/example.js';
import type { ResolvedFormat } from '../../core/data/resolveFormat.js';
import { fileTypeOf } from '../../core/data/rowFileTypes.js';
import { unlessWrong } from '../../core/inputError.js';
import type { PreviewRow } from '../../protocol/datasetPreviewMessages.js';
import type { RowPlace } from '../../rows/rowReader.js';
import { openBeginning } from '../../rows/scannedRows.js';
import { EXCERPT_LENGTH, excerptOf } from '../../core/data/exampleText.js';

/** More than fit into a window, but fewer than a page of the table, which is fetched again once there are more. */
const MAX_ROWS = 60;
const MAX_BYTES = 256 << 10;

/** A complete row; `row` is null if it can't be parsed. */
export interface FirstRow {
  line: number;
  text: string;
  row: Row | null;
}

/** Empty if the file is Parquet, can't be read or has no complete row at its beginning; the worker reports why. */
export async function readFirstRows(path: string, bytes = MAX_BYTES): Promise<FirstRow[]> {
  const fileType = fileTypeOf(path);
  if (!fileType || fileType === 'parquet') return [];
  const reader = await openBeginning(path, fileType, bytes).catch(() => null);
  if (!reader) return [];
  try {
    const places: (RowPlace & { line: number })[] = [];
    const scan = reader.scan((start, end, line) => places.push({ start, end, line }));
    await scan.next();
    places.splice(MAX_ROWS);
    const texts = await reader.texts(places);
    return places.map(({ line }, i) => ({ line, text: texts[i], row: unlessWrong(() => reader.parse(texts[i])) }));
  } catch {
    return [];
  } finally {
    await reader.close();
  }
}

/** The first rows in the form of the preview's table. */
export async function previewFirstRows(path: string): Promise<PreviewRow[]> {
  const rows = await readFirstRows(path);
  const resolved = chooseFormat(rows.map(({ row }) => row));
  return rows.map(({ line, text, row }, index) => ({
    ...{ row: index, line, tokens: null, labelTokens: null, problems: [] },
    excerpt: excerpt(row, resolved) ?? text.slice(0, EXCERPT_LENGTH),
  }));
}

function excerpt(row: Row | null, resolved: ResolvedFormat | null): string | null {
  const example = row && resolved && exampleOf(row, resolved);
  return example && excerptOf(example);
}
