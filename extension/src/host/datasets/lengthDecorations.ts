// Each row's length in tokens in front of it, in the visible part of a dataset's editor: dim where all is well, in the warning's
// colour where the row is longer than max_length or nothing of it is learnt, nothing where the row can't be read.
import * as vscode from 'vscode';
import { rowAt, type DocumentDataset, type DocumentDatasets } from './documentDatasets.js';
import type { RowSummary } from './worker/workerMessages.js';

/** Lines beyond the visible ones, so that scrolling shows no gap. */
const marginLines = 60;

export function registerLengthDecorations(datasets: DocumentDatasets): vscode.Disposable {
  const type = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  const show = (editor: vscode.TextEditor) => {
    const { uri, version } = editor.document;
    const wanted = vscode.workspace.getConfiguration('tunewright', uri).get('preview.decorations', true);
    const dataset = datasets.get(uri);
    if (!wanted || !dataset) return editor.setDecorations(type, []);
    // While an edit is being analysed the old ones move with their text.
    if (dataset.version === version) editor.setDecorations(type, decorations(editor, dataset));
  };
  const showAll = () => vscode.window.visibleTextEditors.forEach(show);
  showAll();
  return vscode.Disposable.from(
    type,
    datasets.onDidChange(showAll),
    vscode.window.onDidChangeVisibleTextEditors(showAll),
    vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor }) => show(textEditor)),
  );
}

function decorations({ document, visibleRanges }: vscode.TextEditor, { rows, summary }: DocumentDataset) {
  const width = String(summary.longest).length;
  return visibleRanges.flatMap(range => {
    const from = Math.max(0, range.start.line - marginLines);
    const to = Math.min(document.lineCount - 1, range.end.line + marginLines);
    const lines = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    return lines.flatMap(line => {
      const text = document.lineAt(line);
      const offset = document.offsetAt(new vscode.Position(line, text.firstNonWhitespaceCharacterIndex));
      const row = rowAt(rows, offset);
      return row && row.line === line + 1 && row.tokens !== null ? [decoration(document, row, width)] : [];
    });
  });
}

function decoration(document: vscode.TextDocument, row: RowSummary, width: number): vscode.DecorationOptions {
  const loses = row.problems.includes('truncated_answer') || row.problems.includes('all_masked');
  const color = new vscode.ThemeColor(loses ? 'editorWarning.foreground' : 'editorCodeLens.foreground');
  const start = document.positionAt(row.start);
  // Figure spaces are as wide as digits, so that the rows begin in one column.
  const contentText = (row.tokens ? String(row.tokens) : '').padStart(width, '\u2007');
  return {
    range: new vscode.Range(start, start),
    renderOptions: { before: { contentText, color, margin: '0 1em 0 0' } },
  };
}
