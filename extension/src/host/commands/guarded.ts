// Registers a command and shows its errors to the user: the message as a notification, the stack trace in the output.
import * as vscode from 'vscode';
import { EngineInputError, UntrustedWorkspaceError } from '../services.js';
import { showErrorMessage, showWarningMessage } from '../window.js';

export function registerGuarded(
  output: vscode.LogOutputChannel,
  id: string,
  run: (...args: unknown[]) => unknown,
): vscode.Disposable {
  return vscode.commands.registerCommand(id, (...args: unknown[]) => guarded(output, id, () => run(...args)));
}

/** @param what for the output, such as the ID of a command */
export async function guarded<T>(output: vscode.LogOutputChannel, what: string, run: () => T): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    await showError(output, what, error);
    return undefined;
  }
}

async function showError(output: vscode.LogOutputChannel, what: string, error: unknown): Promise<void> {
  if (error instanceof vscode.CancellationError) return;
  if (error instanceof UntrustedWorkspaceError) {
    const manage = 'Manage Workspace Trust';
    const answer = await showWarningMessage(error.message, manage);
    if (answer === manage) await vscode.commands.executeCommand('workbench.trust.manage');
    return;
  }
  output.error(`${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  const show = 'Show Output';
  const message = error instanceof Error ? error.message : String(error);
  const buttons = error instanceof EngineInputError ? [] : [show];
  // Not awaited: the command has ended, while the notification may stay open.
  void showErrorMessage(message, ...buttons).then(answer => {
    if (answer === show) output.show();
  });
}
