// Shared by the tests inside the extension host: the extension's services, the workspace, waiting.
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

/** Upper limit for a busy machine. */
const WAIT_MS = 90_000;

/** Polls until the answer is truthy. @throws Error that names what it waited for */
export async function waitFor<T>(
  what: string,
  ask: () => T | Promise<T>,
  describe: () => string = () => '',
): Promise<Exclude<NonNullable<T>, false>> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(100)) {
    const answer = await ask();
    if (answer) return answer as Exclude<NonNullable<T>, false>;
  }
  throw new Error(`timed out after ${WAIT_MS / 1000} s waiting for: ${what}. ${describe()}`);
}

export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

/** Measurements, reported with the results. */
export const figures: Record<string, number> = {};
