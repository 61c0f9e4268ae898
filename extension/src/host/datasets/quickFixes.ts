// A quick fix for each kind of problem in a dataset: mend the row, take it out, take out all of its kind, or give it more room.
import * as vscode from 'vscode';
import { modify } from 'jsonc-parser';
import { removeRows, repairJson, repairRoles, type TextEdit } from '../../core/data/rowEdits.js';
import type { ProblemCode } from '../../core/data/rowAnalysis.js';
import { count } from '../../core/units.js';
import { diagnosticSource } from './diagnostics.js';
import {
  datasetSelector,
  rowAt,
  textFileType,
  type DocumentDataset,
  type DocumentDatasets,
} from './documentDatasets.js';
import type { RowSummary } from './worker/workerMessages.js';

/** How each kind is called when all of them go. */
const removedTogether: Partial<Record<ProblemCode, string>> = {
  duplicate: 'duplicates',
  invalid_json: 'rows that are not valid',
  invalid_row: 'rows that are not of the format',
  all_masked: 'rows with nothing to learn',
  in_validation: 'rows that stand in the other file too',
  truncated_answer: 'rows longer than max_length',
};

const kind = vscode.CodeActionKind.QuickFix;

export function registerQuickFixes(datasets: DocumentDatasets): vscode.Disposable {
  const provider: vscode.CodeActionProvider = {
    async provideCodeActions(document, _range, { diagnostics }) {
      const dataset = datasets.get(document.uri);
      const ours = diagnostics.filter(({ source }) => source === diagnosticSource);
      if (!dataset || dataset.version !== document.version || ours.length === 0) return [];
      const actions = await Promise.all(ours.map(diagnostic => fixesOf(document, dataset, diagnostic)));
      return actions.flat();
    },
  };
  const providedCodeActionKinds = [kind];
  return vscode.languages.registerCodeActionsProvider(datasetSelector, provider, { providedCodeActionKinds });
}

async function fixesOf(document: vscode.TextDocument, dataset: DocumentDataset, diagnostic: vscode.Diagnostic) {
  const row = rowAt(dataset.rows, document.offsetAt(diagnostic.range.start));
  if (!row) return [];
  const code = diagnostic.code as ProblemCode;
  const fixes: vscode.CodeAction[] = [];
  const offer = (title: string, edit: vscode.WorkspaceEdit) => {
    const action = new vscode.CodeAction(title, kind);
    Object.assign(action, { edit, diagnostics: [diagnostic] });
    fixes.push(action);
  };
  for (const { title, edits } of repairs(document, row, code)) {
    const shifted = edits.map(({ start, end, text }) => ({ start: row.start + start, end: row.start + end, text }));
    offer(title, workspaceEdit(document, shifted));
  }
  if ((code === 'truncated_answer' || code === 'all_masked') && row.tokens && row.tokens > dataset.summary.maxLength) {
    const longer = await raiseMaxLength(dataset, row.tokens);
    if (longer) fixes.push(Object.assign(longer, { diagnostics: [diagnostic] }));
  }
  const remove = code === 'duplicate' ? 'Remove this duplicate' : 'Delete this row';
  offer(remove, workspaceEdit(document, removeRows(dataset.rows, new Set([row.row]))));
  const alike = dataset.rows.filter(({ problems }) => problems.includes(code));
  if (alike.length > 1 && removedTogether[code]) {
    const edits = removeRows(dataset.rows, new Set(alike.map(each => each.row)));
    offer(`Remove all ${count(alike.length)} ${removedTogether[code]}`, workspaceEdit(document, edits));
  }
  fixes[0].isPreferred = code !== 'truncated_answer';
  return fixes;
}

function repairs(document: vscode.TextDocument, { start, end }: RowSummary, code: ProblemCode) {
  if (textFileType(document.uri) === 'csv') return [];
  const text = document.getText(new vscode.Range(document.positionAt(start), document.positionAt(end)));
  if (code === 'wrong_role_order') return repairRoles(text);
  const repair = code === 'invalid_json' ? repairJson(text) : null;
  return repair ? [repair] : [];
}

/** In the run file where one reads this dataset, else in the settings. */
async function raiseMaxLength({ reading, uri }: DocumentDataset, tokens: number): Promise<vscode.CodeAction | null> {
  const { runFile } = reading;
  if (!runFile) {
    const title = `Raise tunewright.preview.maxLength to ${tokens}`;
    const action = new vscode.CodeAction(title, kind);
    action.command = { title, command: 'tunewright.raisePreviewMaxLength', arguments: [uri, tokens] };
    return action;
  }
  const document = await vscode.workspace.openTextDocument(runFile.uri);
  const text = document.getText();
  const formattingOptions = { insertSpaces: true, tabSize: 2 };
  const edits = modify(text, ['dataset', 'max_length'], tokens, { formattingOptions });
  const action = new vscode.CodeAction(
    `Raise max_length to ${tokens} in ${vscode.workspace.asRelativePath(runFile.uri)}`,
    kind,
  );
  action.edit = workspaceEdit(
    document,
    edits.map(({ offset, length, content }) => ({ start: offset, end: offset + length, text: content })),
  );
  return action;
}

function workspaceEdit(document: vscode.TextDocument, edits: readonly TextEdit[]): vscode.WorkspaceEdit {
  const edit = new vscode.WorkspaceEdit();
  for (const { start, end, text } of edits) {
    edit.replace(document.uri, new vscode.Range(document.positionAt(start), document.positionAt(end)), text);
  }
  return edit;
}
