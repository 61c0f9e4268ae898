// Says what needs no answer: in the status bar, for as long as it takes to read. Notifications are for what has to be decided.
import * as vscode from 'vscode';

const TOLD_MS = 10_000;

/** @param text may begin with an icon, as `$(check)` */
export function tellBriefly(text: string): void {
  vscode.window.setStatusBarMessage(text, TOLD_MS);
}
