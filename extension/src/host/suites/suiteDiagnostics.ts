// Wrong rows of the evaluation suites in editors, for the Problems panel. The checks are the engine's, so that they are those of
// `tunewright evaluate`; in Restricted Mode there are none.
import { findNodeAtLocation, parseTree } from 'jsonc-parser';
import * as vscode from 'vscode';
import type { EngineError } from '../../protocol/engineError.js';
import type { CheckedSuite } from '../../protocol/residentMessages.js';
import { DIAGNOSTIC_SOURCE } from '../datasets/diagnostics.js';
import { EngineInputError, UntrustedWorkspaceError, type EngineService, type HostServices } from '../services.js';
import { isSuiteDocument } from './suiteFiles.js';

/** Pause in typing before the rows are checked again. */
const EDIT_PAUSE_MS = 300;

export class SuiteDiagnostics implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('tunewright-suites');
  private readonly checked = new vscode.EventEmitter<{ uri: vscode.Uri; checked: CheckedSuite }>();
  /** A suite in an editor was checked as it is now. */
  readonly onDidCheck = this.checked.event;
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly engine: Pick<EngineService, 'checkSuite'>,
    private readonly output: Pick<HostServices['output'], 'warn'>,
  ) {
    const { workspace } = vscode;
    const checkAll = () => workspace.textDocuments.forEach(document => void this.check(document));
    this.subscriptions = [
      workspace.onDidOpenTextDocument(document => void this.check(document)),
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) this.checkSoon(document);
      }),
      workspace.onDidCloseTextDocument(document => this.forget(document)),
      workspace.onDidGrantWorkspaceTrust(checkAll),
    ];
    checkAll();
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    vscode.Disposable.from(...this.subscriptions, this.collection, this.checked).dispose();
  }

  private checkSoon(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(this.timers.get(key));
    this.timers.set(
      key,
      setTimeout(() => void this.check(document), EDIT_PAUSE_MS),
    );
  }

  private forget({ uri }: vscode.TextDocument): void {
    clearTimeout(this.timers.get(uri.toString()));
    this.timers.delete(uri.toString());
    this.collection.delete(uri);
  }

  private async check(document: vscode.TextDocument): Promise<void> {
    if (!isSuiteDocument(document)) return this.collection.delete(document.uri);
    const { version } = document;
    const checked = await this.ask(document);
    if (checked === null || document.isClosed || document.version !== version) return;
    this.collection.set(
      document.uri,
      checked.faults.map(fault => diagnostic(document, fault)),
    );
    this.checked.fire({ uri: document.uri, checked });
  }

  private async ask(document: vscode.TextDocument): Promise<CheckedSuite | null> {
    try {
      return await this.engine.checkSuite(document.uri.fsPath, document.getText());
    } catch (error) {
      if (error instanceof EngineInputError) return { rows: [], faults: [error.record] };
      if (!(error instanceof UntrustedWorkspaceError))
        this.output.warn(`${document.uri.fsPath}: ${(error as Error).message}`);
      return null;
    }
  }
}

function diagnostic(document: vscode.TextDocument, fault: EngineError): vscode.Diagnostic {
  const { message, key, hint } = fault;
  const what = key === undefined ? message : `${key}: ${message}`;
  const range = rangeOf(document, fault);
  const found = new vscode.Diagnostic(range, hint === undefined ? what : `${what}. ${hint}`);
  found.source = DIAGNOSTIC_SOURCE;
  return found;
}

/** The value with the fault, else the nearest part of the row that exists, else the line. */
function rangeOf(document: vscode.TextDocument, { line = 1, column, key }: EngineError): vscode.Range {
  const { text, range } = document.lineAt(Math.min(line, document.lineCount) - 1);
  if (column !== undefined) return range.with(range.start.translate(0, Math.min(column - 1, text.length)));
  const tree = parseTree(text);
  const path = (key?.split('.') ?? []).map(part => (/^\d+$/.test(part) ? Number(part) : part));
  for (; tree && path.length > 0; path.pop()) {
    const node = findNodeAtLocation(tree, path);
    if (!node) continue;
    const start = range.start.translate(0, node.offset);
    return new vscode.Range(start, start.translate(0, node.length));
  }
  return range;
}
