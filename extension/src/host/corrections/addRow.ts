// Adds a row to a dataset of the user's: the file is edited as a document, so that the editor's undo takes the row back and its
// problems are shown at once, and saved, since runs read the file. Called by corrections.ts.
import { isUtf8 } from 'node:buffer';
import * as vscode from 'vscode';
import { appendedRow, type NewRow } from '../../core/data/appendedRow.js';
import { InputError } from '../../core/inputError.js';
import type { DatasetWorkerClient } from '../datasets/datasetWorkerClient.js';
import { textFileType } from '../datasets/documentDatasets.js';
import type { ReadingSettingsSource } from '../datasets/readingSettings.js';
import type { ReadingSettings } from '../datasets/worker/workerMessages.js';
import { readBytes, regularFileSize } from '../../system/regularFile.js';
import { requireTrust } from '../trustedActions.js';

/** VS Code's limit for documents that extensions can read. */
const MAX_DOCUMENT_BYTES = 50 << 20;

export interface AddedRow {
  /** From 1. */
  line: number;
  /** What is wrong with the new row, as in the Problems panel. */
  problems: string[];
}

export interface RowReading {
  settings: Pick<ReadingSettingsSource, 'of'>;
  worker: Pick<DatasetWorkerClient, 'open'>;
}

/**
 * Adds the row after the last one, in the file's own format and layout, and saves the file.
 * @throws Error that says what to change, UntrustedWorkspaceError in Restricted Mode
 */
export async function addRow(uri: vscode.Uri, added: NewRow, reading: RowReading): Promise<AddedRow> {
  requireTrust();
  const name = vscode.workspace.asRelativePath(uri);
  const fileType = textFileType(uri);
  if (!fileType)
    throw new Error(`${name} can’t be edited as text. Choose a .jsonl, .json, .csv or .tsv file, or New File...`);
  checkBytes(uri.fsPath, name);
  const document = await vscode.workspace.openTextDocument(uri);
  const { settings } = await reading.settings.of(uri);
  const { format, columns } = settings;
  const text = document.getText();
  let found: ReturnType<typeof appendedRow>;
  try {
    found = appendedRow({ text, fileType, format, columns }, added);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new Error(`${name}: ${error.message}${error.hint ? `. ${error.hint}` : ''}`, { cause: error });
  }
  const edit = new vscode.WorkspaceEdit();
  const { start, end, text: inserted } = found.edit;
  edit.replace(uri, new vscode.Range(document.positionAt(start), document.positionAt(end)), inserted);
  if (!(await vscode.workspace.applyEdit(edit)) || !(await document.save()))
    throw new Error(`${name} can’t be written. Is it read-only?`);
  return { line: found.line, problems: await problemsOf(document, found.row, settings, reading) };
}

/** A file that isn't UTF-8 would be saved with other characters; one of another encoding that VS Code recognises is kept as it is. */
function checkBytes(path: string, name: string): void {
  if ((regularFileSize(path, 'follow') ?? 0) > MAX_DOCUMENT_BYTES)
    throw new Error(`${name} is larger than 50 MB, so the editor could not undo a new row. Choose New File...`);
  const bytes = readBytes(path) ?? Buffer.alloc(0);
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (!isUtf16 && !isUtf8(bytes)) throw new Error(`${name} is not UTF-8. Save it with the encoding UTF-8 first.`);
}

async function problemsOf(
  document: vscode.TextDocument,
  row: number,
  settings: ReadingSettings,
  { worker }: RowReading,
): Promise<string[]> {
  const fileType = textFileType(document.uri)!;
  const dataset = worker.open({ kind: 'text', text: document.getText(), fileType }, settings, () => undefined);
  try {
    // All rows are read first, to find duplicates.
    await dataset.ask('use', {});
    const detail = await dataset.ask('row', { row });
    return (detail?.findings ?? []).map(({ message, hint }) => (hint ? `${message}. ${hint}` : message));
  } finally {
    dataset.dispose();
  }
}
