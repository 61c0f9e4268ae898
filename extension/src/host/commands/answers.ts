// Answers of the base model and the fine-tuned model side by side: two read-only documents in a diff editor, to which
// each prompt is appended. Kept until the editor is closed; nothing is written to disk.
import * as vscode from 'vscode';

const SCHEME = 'tunewright-answers';

export interface Answered {
  prompt: string;
  base: string;
  tuned: string;
}

export class AnswerDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly answers = new Map<string, Answered[]>();
  private readonly subscriptions = [
    this.changed,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => uri.scheme === SCHEME && this.answers.delete(uri.query)),
  ];

  /** Path of the result whose answers are in this document; null for other documents. */
  static resultOf(uri: vscode.Uri | undefined): string | null {
    return uri?.scheme === SCHEME ? uri.query : null;
  }

  provideTextDocumentContent({ path, query }: vscode.Uri): string {
    const which = path.startsWith('/base/') ? 'base' : 'tuned';
    const answers = this.answers.get(query) ?? [];
    return answers.map(answer => `> ${answer.prompt.replaceAll('\n', '\n> ')}\n\n${answer[which]}\n`).join('\n');
  }

  /** @param result path of an adapter or a model, which identifies its documents */
  async show(result: string, name: string, answered: Answered): Promise<void> {
    this.answers.set(result, [...(this.answers.get(result) ?? []), answered]);
    // As Markdown, so that lines wrap.
    const [base, tuned] = ['base', 'tuned'].map(which =>
      vscode.Uri.from({ scheme: SCHEME, path: `/${which}/${name}.md`, query: result }),
    ) as [vscode.Uri, vscode.Uri];
    for (const uri of [base, tuned]) this.changed.fire(uri);
    const options = { preview: false, selection: new vscode.Range(1e6, 0, 1e6, 0) };
    await vscode.commands.executeCommand('vscode.diff', base, tuned, `${name}: before ↔ after`, options);
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }
}
