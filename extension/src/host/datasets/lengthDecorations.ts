// The length in tokens before each visible row of a dataset's editor: dimmed by default, in the warning colour if the
// answer is cut off or empty or the row has nothing to train on, and none if the row can't be read.
import * as vscode from 'vscode';
import type { ProblemCode } from '../../core/data/rowAnalysis.js';
import { rowAt, type DocumentDataset, type DocumentDatasets } from './documentDatasets.js';
import type { RowSummary } from './worker/workerMessages.js';

/** Lines beyond the visible ones, so that scrolling shows no gaps. */
const MARGIN_LINES = 60;
/** Problems of what is trained on. */
const WARNED: readonly ProblemCode[] = ['truncated_answer', 'all_masked', 'empty_answer'];

export function registerLengthDecorations(datasets: DocumentDatasets): vscode.Disposable {
  const type = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  const show = (editor: vscode.TextEditor) => {
    const { uri, version } = editor.document;
    const wanted = vscode.workspace.getConfiguration('tunewright', uri).get('preview.decorations', true);
    const dataset = datasets.get(uri);
    if (!wanted || !dataset) return editor.setDecorations(type, []);
    // During the analysis of an edit, the old decorations move with their text.
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
    const from = Math.max(0, range.start.line - MARGIN_LINES);
    const to = Math.min(document.lineCount - 1, range.end.line + MARGIN_LINES);
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
  const isWarning = row.problems.some(code => WARNED.includes(code));
  const color = new vscode.ThemeColor(isWarning ? 'editorWarning.foreground' : 'editorCodeLens.foreground');
  const start = document.positionAt(row.start);
  // Figure spaces are as wide as digits, so that all rows start in the same column.
  const contentText = (row.tokens ? String(row.tokens) : '').padStart(width, '\u2007');
  return {
    range: new vscode.Range(start, start),
    renderOptions: { before: { contentText, color, margin: '0 1em 0 0' } },
  };
}
