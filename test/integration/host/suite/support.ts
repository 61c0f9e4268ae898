// What the tests inside the extension host share: the extension's services, the workspace, waiting.
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { activate } from '../../../../extension/src/host/extension.js';

export function workspacePath(...parts: string[]): string {
  return join(vscode.workspace.workspaceFolders![0]!.uri.fsPath, ...parts);
}

export async function activated(): Promise<ReturnType<typeof activate>> {
  const extension = vscode.extensions.getExtension<ReturnType<typeof activate>>('tunewright.tunewright')!;
  return extension.activate();
}

/** What a busy machine may need for what a quiet one does at once. */
const WAIT_MS = 90_000;

/** Asks until the answer isn't falsy. @throws Error that names what was waited for */
export async function waitFor<T>(
  what: string,
  ask: () => T | Promise<T>,
  describe: () => string = () => '',
): Promise<Exclude<NonNullable<T>, false>> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(100)) {
    const answer = await ask();
    if (answer) return answer as Exclude<NonNullable<T>, false>;
  }
  throw new Error(`waited ${WAIT_MS / 1000} s in vain for: ${what}. ${describe()}`);
}

export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

/** What was measured; told with the results. */
export const figures: Record<string, number> = {};
