// Problems of single rows, for the Problems panel. The quick fixes (quickFixes.ts) depend on each diagnostic's code.
import * as vscode from 'vscode';
import { placeOfRoleFault } from '../../core/data/rowEdits.js';
import type { ProblemCode } from '../../core/data/rowAnalysis.js';
import { isJsonText, type DocumentDataset, type DocumentDatasets } from './documentDatasets.js';
import type { Finding, ProblemRow } from './worker/workerMessages.js';

export const DIAGNOSTIC_SOURCE = 'Tunewright';

const SEVERITIES: Record<ProblemCode, vscode.DiagnosticSeverity> = {
  invalid_json: vscode.DiagnosticSeverity.Error,
  invalid_row: vscode.DiagnosticSeverity.Error,
  wrong_role_order: vscode.DiagnosticSeverity.Warning,
  all_masked: vscode.DiagnosticSeverity.Warning,
  empty_answer: vscode.DiagnosticSeverity.Warning,
  truncated_answer: vscode.DiagnosticSeverity.Warning,
  in_validation: vscode.DiagnosticSeverity.Warning,
  duplicate: vscode.DiagnosticSeverity.Warning,
  same_answers: vscode.DiagnosticSeverity.Warning,
  unlocated_turn: vscode.DiagnosticSeverity.Information,
};

export function registerDiagnostics(datasets: DocumentDatasets): vscode.Disposable {
  const collection = vscode.languages.createDiagnosticCollection('tunewright-datasets');
  const show = (uri: vscode.Uri) => {
    const wanted = vscode.workspace.getConfiguration('tunewright', uri).get('preview.diagnostics', true);
    const dataset = datasets.get(uri);
    const document = vscode.workspace.textDocuments.find(open => open.uri.toString() === uri.toString());
    if (!wanted || !dataset || !document || document.isClosed) return collection.delete(uri);
    if (dataset.version === document.version) collection.set(uri, diagnostics(document, dataset));
  };
  return vscode.Disposable.from(collection, datasets.onDidChange(show));
}

function diagnostics(document: vscode.TextDocument, { problems }: DocumentDataset): vscode.Diagnostic[] {
  return problems.flatMap(row => row.findings.map(finding => diagnostic(document, row, finding)));
}

function diagnostic(document: vscode.TextDocument, row: ProblemRow, finding: Finding): vscode.Diagnostic {
  const { code, message, hint, related } = finding;
  const found = new vscode.Diagnostic(
    rangeOf(document, row, finding),
    hint ? `${message}. ${hint}` : message,
    SEVERITIES[code],
  );
  found.source = DIAGNOSTIC_SOURCE;
  found.code = code;
  if (code === 'duplicate') found.tags = [vscode.DiagnosticTag.Unnecessary];
  if (related) {
    const uri = related.path ? vscode.Uri.file(related.path) : document.uri;
    const location = new vscode.Location(uri, new vscode.Position(related.line - 1, 0));
    const where = related.path ? 'same row in the other file' : 'first occurrence of this row';
    found.relatedInformation = [new vscode.DiagnosticRelatedInformation(location, where)];
  }
  return found;
}

/** The faulty part if it can be located, else the row's first line. */
function rangeOf(document: vscode.TextDocument, { start, end }: ProblemRow, { code, offset }: Finding): vscode.Range {
  const range = (from: number, to: number) => new vscode.Range(document.positionAt(from), document.positionAt(to));
  if (offset !== undefined) {
    const from = Math.min(end - 1, start + offset);
    return range(from, Math.min(end, from + 12));
  }
  if (code === 'wrong_role_order' && isJsonText(document.uri)) {
    const place = placeOfRoleFault(document.getText(range(start, end)));
    if (place) return range(start + place.start, start + place.end);
  }
  const whole = range(start, end);
  return whole.isSingleLine ? whole : document.lineAt(whole.start.line).range.with(whole.start);
}
