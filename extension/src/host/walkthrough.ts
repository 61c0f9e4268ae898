// The steps of the walkthrough that the user has done, whether by a button of the walkthrough or elsewhere: package.json's completion
// events ask for these context keys. VS Code hears a key only when it changes after the walkthrough was first shown in the window, and
// never ticks a step whose key is set before. So keys are set for a moment: when a step is done, and for all when a page that may be
// the walkthrough is opened.
import * as vscode from 'vscode';
import { keptSteps } from './keptValues.js';

/** The IDs of the steps in package.json. */
export type WalkthroughStep = 'install' | 'dataset' | 'run' | 'watch' | 'try' | 'runFile';

const DONE = 'walkthrough.done';
const COMMAND = 'tunewright.walkthrough.done';

/** Marks a step as done. */
export function stepDone(step: WalkthroughStep): void {
  void vscode.commands.executeCommand(COMMAND, step);
}

export function registerWalkthrough({ globalState }: vscode.ExtensionContext): vscode.Disposable {
  const done = new Set(keptSteps(globalState.get(DONE)));
  const tellAll = () => void Promise.all([...done].map(tell));
  tellAll();
  return vscode.Disposable.from(
    vscode.commands.registerCommand(COMMAND, async (step: WalkthroughStep) => {
      if (done.has(step)) return;
      done.add(step);
      await globalState.update(DONE, [...done]);
      await tell(step);
    }),
    // Pages of VS Code itself, such as the walkthrough, have no input that extensions know.
    vscode.window.tabGroups.onDidChangeTabs(({ opened, changed }) => {
      if ([...opened, ...changed].some(({ input }) => input === undefined)) tellAll();
    }),
  );
}

async function tell(step: WalkthroughStep): Promise<void> {
  for (const value of [true, false])
    await vscode.commands.executeCommand('setContext', `tunewright.done.${step}`, value);
}
