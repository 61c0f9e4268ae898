// As much of VS Code as the parts of the host need that host.ts measures: values, and an API that shows nothing.
export class EventEmitter<T> {
  private readonly listeners = new Set<(value: T) => void>();
  readonly event = (listener: (value: T) => void) => {
    this.listeners.add(listener);
    return { dispose: () => void this.listeners.delete(listener) };
  };
  fire(value: T): void {
    for (const listener of this.listeners) listener(value);
  }
  dispose(): void {
    this.listeners.clear();
  }
}

export class Disposable {
  constructor(readonly dispose: () => void) {}
  static from(...all: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => all.forEach(each => each.dispose()));
  }
}

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

export class Range {
  constructor(
    readonly start: Position,
    readonly end: Position,
  ) {}
}

export class CodeAction {
  constructor(
    readonly title: string,
    readonly kind: unknown,
  ) {}
}

export class WorkspaceEdit {
  readonly edits: [Range, string][] = [];
  replace(_uri: unknown, range: Range, text: string): void {
    this.edits.push([range, text]);
  }
}

export class TreeItem {
  constructor(readonly label: string) {}
}

export class MarkdownString {
  value = '';
  appendText(text: string): void {
    this.value += text;
  }
  appendMarkdown(text: string): void {
    this.value += text;
  }
}

export const [ThemeIcon, ThemeColor, RelativePattern] = [Object, Object, Object];
export class CancellationError extends Error {}
export const DiagnosticSeverity = { Error: 0, Warning: 1, Information: 2 };
export const TreeItemCollapsibleState = { None: 0, Expanded: 2 };
export const StatusBarAlignment = { Left: 1 };
export const CodeActionKind = { QuickFix: 'quickfix' };
export const Uri = { file: (fsPath: string) => ({ fsPath, path: fsPath, scheme: 'file', toString: () => fsPath }) };

const nothing = { dispose: () => {} };
const never = () => nothing;

/** What was registered, for host.ts to call. */
export const registered: { codeActions?: unknown; tree?: unknown } = {};

export const languages = {
  registerCodeActionsProvider: (_selector: unknown, provider: unknown) => (
    (registered.codeActions = provider),
    nothing
  ),
};
export const commands = { executeCommand: () => Promise.resolve(), registerCommand: never };
export const window = {
  createTreeView: (_id: string, { treeDataProvider }: { treeDataProvider: unknown }) => (
    (registered.tree = treeDataProvider),
    { ...nothing }
  ),
};
export const workspace = {
  isTrusted: true,
  /** The folder whose runs are listed. */
  workspaceFolders: [] as unknown[],
  getConfiguration: () => ({ get: (_key: string, absent: unknown) => absent }),
  createFileSystemWatcher: () => ({ onDidCreate: never, onDidChange: never, onDidDelete: never, ...nothing }),
  onDidChangeConfiguration: never,
  onDidChangeWorkspaceFolders: never,
  onDidGrantWorkspaceTrust: never,
};
