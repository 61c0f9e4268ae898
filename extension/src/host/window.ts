// VS Code's window for texts from anywhere. Notifications and input boxes render `[..](command:..)` as links that run commands,
// labels render `$(name)` as icons; the names of runs, rows, models and the engine's messages may contain both. All that the
// extension shows goes through this module, which test/unit/host/window.test.ts checks.
import * as vscode from 'vscode';
import { harmlessText } from '../core/harmlessText.js';

const BRIEFLY_MS = 10_000;

type Show = (message: string, options: vscode.MessageOptions, ...items: string[]) => Thenable<string | undefined>;

function shown<T extends string>(show: Show, message: string, more: readonly (T | vscode.MessageOptions)[]) {
  const options = more.find(each => typeof each === 'object') ?? {};
  const buttons = more.filter(each => typeof each === 'string');
  const detail = options.detail === undefined ? {} : { detail: harmlessText(options.detail) };
  return show(harmlessText(message), { ...options, ...detail }, ...buttons) as Thenable<T | undefined>;
}

/** As VS Code's; buttons are constants of ours, never text from outside. */
export function showInformationMessage<T extends string>(message: string, ...more: (T | vscode.MessageOptions)[]) {
  return shown<T>(vscode.window.showInformationMessage, message, more);
}

export function showWarningMessage<T extends string>(message: string, ...more: (T | vscode.MessageOptions)[]) {
  return shown<T>(vscode.window.showWarningMessage, message, more);
}

export function showErrorMessage<T extends string>(message: string, ...more: (T | vscode.MessageOptions)[]) {
  return shown<T>(vscode.window.showErrorMessage, message, more);
}

/** An item of a quick pick; `icon` is the name of a product icon before the label. */
export interface PickItem extends Omit<vscode.QuickPickItem, 'iconPath'> {
  icon?: string;
}

export function showQuickPick<T extends PickItem>(
  items: readonly T[] | Promise<readonly T[]>,
  options: vscode.QuickPickOptions & { canPickMany: true },
): Promise<T[] | undefined>;
export function showQuickPick<T extends PickItem>(
  items: readonly T[] | Promise<readonly T[]>,
  options: vscode.QuickPickOptions,
): Promise<T | undefined>;
export async function showQuickPick<T extends PickItem>(
  items: readonly T[] | Promise<readonly T[]>,
  options: vscode.QuickPickOptions,
): Promise<T | T[] | undefined> {
  const harmless = async () => (await items).map(item => ({ ...harmlessItem(item), item }));
  const picked = (await vscode.window.showQuickPick(harmless(), options)) as unknown;
  type Picked = { item: T };
  return Array.isArray(picked) ? picked.map(({ item }: Picked) => item) : (picked as Picked | undefined)?.item;
}

function harmlessItem({ icon, label, description, detail, ...rest }: PickItem): vscode.QuickPickItem {
  return {
    ...rest,
    label: icon === undefined ? harmlessText(label) : `$(${icon}) ${harmlessText(label)}`,
    ...(description === undefined ? {} : { description: harmlessText(description) }),
    ...(detail === undefined ? {} : { detail: harmlessText(detail) }),
  };
}

export function showInputBox(options: vscode.InputBoxOptions): Thenable<string | undefined> {
  const { prompt, validateInput, ...rest } = options;
  return vscode.window.showInputBox({
    ...rest,
    ...(prompt === undefined ? {} : { prompt: harmlessText(prompt) }),
    ...(validateInput === undefined
      ? {}
      : {
          validateInput: async text => {
            const problem = await validateInput(text);
            return typeof problem === 'string' ? harmlessText(problem) : problem;
          },
        }),
  });
}

export function withProgress<R>(
  options: vscode.ProgressOptions,
  task: (
    progress: vscode.Progress<{ message?: string; increment?: number }>,
    token: vscode.CancellationToken,
  ) => Thenable<R>,
): Thenable<R> {
  const title = options.title === undefined ? {} : { title: harmlessText(options.title) };
  return vscode.window.withProgress({ ...options, ...title }, (progress, token) =>
    task(
      {
        report: ({ message, ...rest }) =>
          progress.report({ ...rest, ...(message === undefined ? {} : { message: harmlessText(message) }) }),
      },
      token,
    ),
  );
}

/** Work with a notification that says what is done and can end it. */
export function cancellable<T>(title: string, work: (token: vscode.CancellationToken) => Thenable<T>): Thenable<T> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return withProgress(options, (_progress, token) => work(token));
}

/** Shows a message that needs no answer in the status bar, long enough to read. Notifications are for decisions. */
export function tellBriefly(icon: string, text: string): void {
  vscode.window.setStatusBarMessage(iconText(icon, text), BRIEFLY_MS);
}

/** The text of a status bar item. */
export function iconText(icon: string, text: string): string {
  return `$(${icon}) ${harmlessText(text)}`;
}

/** The title of a CodeLens, where VS Code removes a plain space after an icon. */
export function lensTitle(icon: string, text: string): string {
  return `$(${icon})\u00a0${harmlessText(text)}`;
}
