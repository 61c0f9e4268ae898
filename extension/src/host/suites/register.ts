// Registers the evaluation suites of the editor. Called once by extension.ts.
import { join } from 'node:path';
import * as vscode from 'vscode';
import { activeFile } from '../activeFile.js';
import { registerGuarded } from '../commands/guarded.js';
import type { WorkspaceDatasets } from '../datasets/workspaceDatasets.js';
import type { HostServices } from '../services.js';
import { showQuickPick } from '../window.js';
import { makeSuite } from './makeSuite.js';
import { SuiteCompletion } from './suiteCompletion.js';
import { SuiteDiagnostics } from './suiteDiagnostics.js';
import { SUITE_FILES } from './suiteFiles.js';
import { SuiteTests } from './suiteTests.js';

export interface SuiteParts extends vscode.Disposable {
  tests: SuiteTests;
}

export function registerSuites(services: HostServices, found: Pick<WorkspaceDatasets, 'list'>): SuiteParts {
  const { engine, runs, sessions, output, context } = services;
  const diagnostics = new SuiteDiagnostics(engine, output);
  const tests = new SuiteTests({ engine, runs, sessions, diagnostics, state: context.workspaceState });
  const command = registerGuarded(output, 'tunewright.makeSuite', async target => {
    const dataset = target instanceof vscode.Uri ? target.fsPath : await pickDataset(found);
    if (dataset !== undefined) await makeSuite(dataset, engine, runs);
  });
  const completion = vscode.languages.registerCompletionItemProvider(
    { scheme: 'file', pattern: SUITE_FILES },
    new SuiteCompletion(join(context.extensionPath, 'media', 'schemas', 'eval.schema.json')),
    '"',
  );
  return { tests, dispose: () => vscode.Disposable.from(completion, command, tests, diagnostics).dispose() };
}

/** The dataset in the active editor, else one of the workspace. */
async function pickDataset(found: Pick<WorkspaceDatasets, 'list'>): Promise<string | undefined> {
  const { own } = await found.list();
  const active = activeFile()?.fsPath;
  if (active !== undefined && own.includes(active)) return active;
  const items = own.map(path => ({ icon: 'database', label: vscode.workspace.asRelativePath(path), path }));
  const placeHolder = own.length === 0 ? 'This workspace has no dataset' : 'Choose a dataset';
  return (await showQuickPick(items, { title: 'Make an Evaluation', placeHolder }))?.path;
}
