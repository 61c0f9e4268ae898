// The rows that the preview shows before anything else is known of the file: read here, from its beginning alone, so that they
// wait for no worker, no tokenizer and no index. Called by previewSession.ts; imports no vscode.
import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { chooseFormat } from '../../core/data/chooseFormat.js';
import type { Row } from '../../core/data/example.js';
import type { DatasetFormat } from '../../core/data/formats/datasetFormat.js';
import { rowScanner } from '../../core/data/rowScanner.js';
import { InputError } from '../../core/inputError.js';
import type { PreviewRow } from '../../protocol/datasetPreviewMessages.js';
import { excerptLength, excerptOf } from './worker/exampleText.js';
import { csvHeader, parseScannedRow } from './worker/scannedRow.js';
import type { DatasetFileType } from './worker/workerMessages.js';

/** More than fit into a window, and fewer than the page asks for at once: it asks again when there are more. */
const mostRows = 60;
const mostBytes = 256 << 10;

/** None where the file can't be read, has no whole row there, or is no text: its worker says what there is to say. */
export async function readFirstRows(path: string, fileType: DatasetFileType): Promise<PreviewRow[]> {
  if (fileType === 'parquet') return [];
  const beginning = await readBeginning(path).catch(() => null);
  if (!beginning) return [];
  const places: { start: number; end: number; line: number }[] = [];
  const scanner = rowScanner(fileType, (start, end, line) => places.push({ start, end, line }));
  scanner.push(beginning.bytes);
  if (beginning.isWhole) scanner.finish();
  const texts = places.slice(0, mostRows + 1).map(({ start, end, line }) => {
    const bytes = beginning.bytes.subarray(start, end);
    return { line, text: bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1') };
  });
  const header = fileType === 'csv' ? csvHeader(texts.shift()?.text ?? '') : [];
  const read = texts.slice(0, mostRows).map(({ line, text }) => ({
    line,
    text,
    content: unlessWrong(() => parseScannedRow(fileType, text, header)),
  }));
  const format = chooseFormat(
    read.map(({ content }) => content).filter(content => content !== null),
    'auto',
    {},
  );
  return read.map(({ line, text, content }, row) => ({
    ...{ row, line, tokens: null, labelTokens: null, problems: [] },
    excerpt: excerpt(content, format) ?? text.slice(0, excerptLength),
  }));
}

async function readBeginning(path: string): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0);
    return { bytes: buffer.subarray(0, bytesRead), isWhole: bytesRead < mostBytes };
  } finally {
    await file.close();
  }
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
