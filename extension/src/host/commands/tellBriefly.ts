// Shows a message that needs no answer in the status bar, long enough to read. Notifications are for decisions.
import * as vscode from 'vscode';

const SHOWN_MS = 10_000;

/** @param text may start with an icon, as in `$(check)` */
export function tellBriefly(text: string): void {
  vscode.window.setStatusBarMessage(text, SHOWN_MS);
}
