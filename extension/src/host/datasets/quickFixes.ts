// Quick fixes for each kind of problem in a dataset: repair the row, delete it, delete all rows of its kind, or raise
// max_length. What a fix changes is worked out when it is chosen: fixes are offered while the cursor moves, and one may change
// every row.
import * as vscode from 'vscode';
import { modify } from 'jsonc-parser';
import { removeRows, repairJson, repairRoles, type TextEdit } from '../../core/data/rowEdits.js';
import type { ProblemCode } from '../../core/data/rowAnalysis.js';
import { count } from '../../core/units.js';
import { requireTrust } from '../trustedActions.js';
import { DIAGNOSTIC_SOURCE } from './diagnostics.js';
import {
  DATASET_SELECTOR,
  isJsonText,
  rowAt,
  type DocumentDataset,
  type DocumentDatasets,
} from './documentDatasets.js';
import { tellBriefly } from '../window.js';
import type { RowSummary } from './worker/workerMessages.js';

/** Names of the kinds that can be removed together. */
const REMOVED_TOGETHER: Partial<Record<ProblemCode, string>> = {
  duplicate: 'duplicates',
  same_answers: 'pairs of equal answers',
  invalid_json: 'invalid rows',
  invalid_row: 'rows in the wrong format',
  all_masked: 'rows with nothing to train on',
  empty_answer: 'rows with an empty answer',
  in_validation: 'rows that are also in the other file',
  truncated_answer: 'rows longer than max_length',
};

/** Rows that are repaired before other work of the host gets its turn. */
const REPAIRS_PER_TURN = 250;

const QUICK_FIX = vscode.CodeActionKind.QuickFix;

export function registerQuickFixes(datasets: DocumentDatasets): vscode.Disposable {
  const edits = new WeakMap<vscode.CodeAction, Fix['edits']>();
  const provider: vscode.CodeActionProvider = {
    provideCodeActions(document, _range, { diagnostics }) {
      const dataset = datasets.get(document.uri);
      const ours = diagnostics.filter(({ source }) => source === DIAGNOSTIC_SOURCE);
      if (!dataset || dataset.version !== document.version || ours.length === 0) return [];
      const alike = rowsByProblem(dataset.rows);
      const fixes = withoutRepetition(ours.flatMap(diagnostic => fixesOf(document, dataset, alike, diagnostic)));
      for (const fix of fixes) edits.set(fix.action, fix.edits);
      return fixes.map(({ action }) => action);
    },
    async resolveCodeAction(action) {
      const found = await edits.get(action)?.();
      if (found) action.edit = found;
      return action;
    },
  };
  const providedCodeActionKinds = [QUICK_FIX];
  return vscode.languages.registerCodeActionsProvider(DATASET_SELECTOR, provider, { providedCodeActionKinds });
}

/** A fix, and what it does: fixes that do the same are offered once. */
interface Fix {
  action: vscode.CodeAction;
  effect: string;
  /** None for a fix that is a command, and for a document that was edited since. */
  edits(): Promise<vscode.WorkspaceEdit | undefined>;
}

/** Problems of one row have fixes in common: they are those of all these problems. */
function withoutRepetition(fixes: readonly Fix[]): Fix[] {
  const byEffect = new Map<string, Fix>();
  for (const fix of fixes) {
    const known = byEffect.get(fix.effect)?.action;
    if (!known) byEffect.set(fix.effect, fix);
    else {
      known.diagnostics!.push(...(fix.action.diagnostics ?? []));
      known.isPreferred ||= fix.action.isPreferred;
    }
  }
  return [...byEffect.values()];
}

function rowsByProblem(rows: readonly RowSummary[]): ReadonlyMap<ProblemCode, readonly RowSummary[]> {
  const byCode = new Map<ProblemCode, RowSummary[]>();
  for (const row of rows)
    for (const code of row.problems) {
      const alike = byCode.get(code);
      if (alike) alike.push(row);
      else byCode.set(code, [row]);
    }
  return byCode;
}

function fixesOf(
  document: vscode.TextDocument,
  dataset: DocumentDataset,
  rowsByProblem: ReadonlyMap<ProblemCode, readonly RowSummary[]>,
  diagnostic: vscode.Diagnostic,
): Fix[] {
  const row = rowAt(dataset.rows, document.offsetAt(diagnostic.range.start));
  if (!row) return [];
  const code = diagnostic.code as ProblemCode;
  const fixes: Fix[] = [];
  const offer = (title: string, effect: string, edits: () => readonly TextEdit[] | Promise<readonly TextEdit[]>) => {
    const action = new vscode.CodeAction(title, QUICK_FIX);
    action.diagnostics = [diagnostic];
    const isSame = () => document.version === dataset.version;
    fixes.push({
      ...{ action, effect },
      async edits() {
        const found = isSame() ? await edits() : [];
        return isSame() ? workspaceEdit(document, found) : undefined;
      },
    });
  };
  const ofRow = repairs(document, row, code);
  for (const { title, edits } of ofRow) offer(title, `${title} ${row.row}`, () => shifted(edits, row));
  const alike = rowsByProblem.get(code) ?? [];
  if (code === 'invalid_json' && alike.length > 1 && ofRow.length > 0)
    offer('Repair the JSON of all such rows', `repair ${code}`, () => repairAll(document, alike, code));
  const { maxLength } = dataset.summary;
  // Rows that end before the run file's max_length are at the end of the model's context, which no key raises.
  const raises = maxLength >= (dataset.reading.runFile?.dataset.max_length ?? 0);
  if (raises && (code === 'truncated_answer' || code === 'all_masked') && row.tokens && row.tokens > maxLength)
    fixes.push({
      action: Object.assign(raiseMaxLength(dataset, row.tokens), { diagnostics: [diagnostic] }),
      effect: `max_length ${row.tokens}`,
      edits: () => Promise.resolve(undefined),
    });
  const remove = code === 'duplicate' ? 'Remove this duplicate' : 'Delete this row';
  const removal = (rows: readonly RowSummary[]) => removeRows(dataset.rows, new Set(rows.map(each => each.row)));
  offer(remove, `remove ${row.row}`, () => removal([row]));
  if (alike.length > 1 && REMOVED_TOGETHER[code])
    offer(`Remove all ${count(alike.length)} ${REMOVED_TOGETHER[code]}`, `remove ${code}`, () => removal(alike));
  fixes[0].action.isPreferred = code !== 'truncated_answer';
  return fixes;
}

/** Those that can be repaired. */
async function repairAll(
  document: vscode.TextDocument,
  rows: readonly RowSummary[],
  code: ProblemCode,
): Promise<TextEdit[]> {
  const edits: TextEdit[] = [];
  for (const [i, row] of rows.entries()) {
    for (const repair of repairs(document, row, code)) edits.push(...shifted(repair.edits, row));
    if (i % REPAIRS_PER_TURN === REPAIRS_PER_TURN - 1) await new Promise(resolve => setImmediate(resolve));
  }
  return edits;
}

function shifted(edits: readonly TextEdit[], row: RowSummary): TextEdit[] {
  return edits.map(({ start, end, text }) => ({ start: row.start + start, end: row.start + end, text }));
}

function repairs(document: vscode.TextDocument, { start, end }: RowSummary, code: ProblemCode) {
  if (!isJsonText(document.uri)) return [];
  const text = document.getText(new vscode.Range(document.positionAt(start), document.positionAt(end)));
  if (code === 'wrong_role_order') return repairRoles(text);
  const repair = code === 'invalid_json' ? repairJson(text) : null;
  return repair ? [repair] : [];
}

/** In the run file that uses this dataset, else in the settings: of the workspace, or of the user if no folder is open. */
function raiseMaxLength({ reading: { runFile }, uri }: DocumentDataset, tokens: number): vscode.CodeAction {
  const where = runFile
    ? vscode.workspace.asRelativePath(runFile.uri)
    : `${settingsTarget(uri).name} settings (tunewright.preview.maxLength)`;
  const title = `Raise max_length to ${tokens} in ${where}`;
  const action = new vscode.CodeAction(title, QUICK_FIX);
  action.command = runFile
    ? { title, command: 'tunewright.raiseMaxLengthOfRun', arguments: [runFile.uri, tokens] }
    : { title, command: 'tunewright.raisePreviewMaxLength', arguments: [uri, tokens] };
  return action;
}

function settingsTarget(uri: vscode.Uri): { name: string; target: vscode.ConfigurationTarget } {
  return vscode.workspace.getWorkspaceFolder(uri)
    ? { name: 'workspace', target: vscode.ConfigurationTarget.Workspace }
    : { name: 'user', target: vscode.ConfigurationTarget.Global };
}

/** The setting counts for every dataset that no run file uses, so the user is told. */
export async function raisePreviewMaxLength(uri: vscode.Uri, tokens: number): Promise<void> {
  requireTrust();
  const { name, target } = settingsTarget(uri);
  await vscode.workspace.getConfiguration('tunewright', uri).update('preview.maxLength', tokens, target);
  tellBriefly('settings-gear', `tunewright.preview.maxLength is now ${tokens} in the ${name} settings`);
}

/** Saves the run file as well, since rows are read according to the file on disk. */
export async function raiseMaxLengthOfRun(runFile: vscode.Uri, tokens: number): Promise<void> {
  requireTrust();
  const document = await vscode.workspace.openTextDocument(runFile);
  const formattingOptions = { insertSpaces: true, tabSize: 2 };
  const edits = modify(document.getText(), ['dataset', 'max_length'], tokens, { formattingOptions });
  const texts = edits.map(({ offset, length, content }) => ({ start: offset, end: offset + length, text: content }));
  if (!(await vscode.workspace.applyEdit(workspaceEdit(document, texts)))) return;
  await document.save();
  tellBriefly('settings-gear', `max_length is now ${tokens} in ${vscode.workspace.asRelativePath(runFile)}`);
}

function workspaceEdit(document: vscode.TextDocument, edits: readonly TextEdit[]): vscode.WorkspaceEdit {
  const edit = new vscode.WorkspaceEdit();
  for (const { start, end, text } of edits) {
    edit.replace(document.uri, new vscode.Range(document.positionAt(start), document.positionAt(end)), text);
  }
  return edit;
}
