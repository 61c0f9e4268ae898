// The evaluation suites of the workspace: which documents and files are one, and the texts of files.
import * as vscode from 'vscode';
import { isObject, parseJson } from '../../core/data/formats/rowFields.js';
import { isSuiteFile, SUITE_EXTENSION } from '../../core/evaluation/isSuiteRow.js';
import { readText } from '../../system/regularFile.js';

export const SUITE_FILES = `**/*${SUITE_EXTENSION}`;

/** Longer files aren't read as suites. */
const MAX_SUITE_BYTES = 64 << 20;
const FIRST_LINES = 20;

export function isSuiteDocument(document: Pick<vscode.TextDocument, 'uri' | 'lineCount' | 'lineAt'>): boolean {
  const { uri, lineCount } = document;
  if (uri.scheme !== 'file' || !uri.path.endsWith(SUITE_EXTENSION)) return false;
  const lines = Array.from({ length: Math.min(FIRST_LINES, lineCount) }, (_, i) => document.lineAt(i).text);
  return isSuiteText(uri.fsPath, lines);
}

function isSuiteText(path: string, lines: readonly string[]): boolean {
  const rows = lines.map(parseJson).map(row => (isObject(row) ? row : null));
  return isSuiteFile(path, rows);
}

/** The text of a suite as the editor has it, else of its file; null if it isn't one or can't be read. */
export function suiteText(uri: vscode.Uri): string | null {
  const document = vscode.workspace.textDocuments.find(open => open.uri.toString() === uri.toString());
  if (document) return isSuiteDocument(document) ? document.getText() : null;
  try {
    const text = readText(uri.fsPath, 'follow', MAX_SUITE_BYTES);
    return text !== null && isSuiteText(uri.fsPath, text.split('\n', FIRST_LINES)) ? text : null;
  } catch {
    return null;
  }
}
