// The rows at the beginning of a file, read from there alone: what the preview shows before anything else is known, so that it
// waits for no worker, no tokenizer and no index, and what prompts are taken from. Imports no vscode, and nothing of Parquet.
import { chooseFormat } from '../../core/data/chooseFormat.js';
import type { Row } from '../../core/data/example.js';
import type { DatasetFormat } from '../../core/data/formats/datasetFormat.js';
import { fileTypeOf } from '../../core/data/rowFileTypes.js';
import { InputError } from '../../core/inputError.js';
import type { PreviewRow } from '../../protocol/datasetPreviewMessages.js';
import { DataFile } from '../../rows/dataFile.js';
import type { RowPlace } from '../../rows/rowReader.js';
import { TextFileRows } from '../../rows/scannedRows.js';
import { excerptLength, excerptOf } from './worker/exampleText.js';

/** More than fit into a window, and fewer than the page asks for at once: it asks again when there are more. */
const mostRows = 60;
const mostBytes = 256 << 10;

/** A whole row; `row` is null where it can't be parsed. */
export interface FirstRow {
  line: number;
  text: string;
  row: Row | null;
}

/** None where the file is Parquet, can't be read or has no whole row there: its worker says what there is to say. */
export async function readFirstRows(path: string): Promise<FirstRow[]> {
  const fileType = fileTypeOf(path);
  if (!fileType || fileType === 'parquet') return [];
  const file = await DataFile.open(path).catch(() => null);
  if (!file) return [];
  const reader = new TextFileRows(file, fileType, mostBytes);
  try {
    const places: (RowPlace & { line: number })[] = [];
    const scan = reader.scan((start, end, line) => places.push({ start, end, line }));
    await scan.next();
    places.splice(mostRows);
    const texts = await reader.texts(places);
    return places.map(({ line }, i) => ({ line, text: texts[i], row: unlessWrong(() => reader.parse(texts[i])) }));
  } catch {
    return [];
  } finally {
    await reader.close();
  }
}

/** The same as the preview's table shows them. */
export async function previewFirstRows(path: string): Promise<PreviewRow[]> {
  const rows = await readFirstRows(path);
  const format = chooseFormat(
    rows.map(({ row }) => row),
    'auto',
    {},
  );
  return rows.map(({ line, text, row }, index) => ({
    ...{ row: index, line, tokens: null, labelTokens: null, problems: [] },
    excerpt: excerpt(row, format) ?? text.slice(0, excerptLength),
  }));
}

function excerpt(row: Row | null, format: DatasetFormat | null): string | null {
  const example = row && format && unlessWrong(() => format.parse(row, { file: '', line: 0 }));
  return example ? excerptOf(example) : null;
}

function unlessWrong<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}
