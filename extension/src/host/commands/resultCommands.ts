// Commands on a run's result: merge it into its model, compare one answer with the base's; and the notifications that offer them when a
// run has finished. The engine's `merge` and `generate` do the work; the
// commands ask for paths and show progress and results.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { peftTypeOf } from '../../core/runs/runFileKeys.js';
import { longFigure, runFigure } from '../../core/runs/runStatus.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import type { FolderRun } from '../runs/folderRun.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import type { FolderRunService } from '../runs/runService.js';
import { EngineInputError, type EngineService } from '../services.js';
import { stepDone } from '../walkthrough.js';
import { AnswerDocuments } from './answers.js';
import { guarded, registerGuarded } from './guarded.js';
import { newPlace, replaceFolder } from './newFolder.js';
import { pickRun } from './pickRun.js';
import { reveal } from './reveal.js';
import { baseFlags } from './baseFlags.js';
import { openPlayground } from '../webviews/playground.js';
import { argumentsOfRun, type PlaygroundArguments } from '../webviews/playgroundColumns.js';
import { showInformationMessage, showInputBox, cancellable } from '../window.js';

/** What `generate --json` prints. */
interface Generated {
  answers: { adapter: string | null; text: string }[];
}

/** Every folder that merge and export write has one of these. */
const RESULT_FILES = ['config.json', 'adapter_config.json'];

const MAX_NEW_TOKENS = 256;

export function registerResultCommands(
  engine: EngineService,
  runs: FolderRunService,
  output: vscode.LogOutputChannel,
  methods: KnownMethods,
): vscode.Disposable {
  const documents = new AnswerDocuments();
  const command = (
    id: string,
    title: string,
    fits: (run: FolderRun) => boolean,
    act: (run: FolderRun, result: string, more: unknown) => unknown,
  ) =>
    registerGuarded(output, id, async (argument, more) => {
      const fitting = (run: FolderRun) => resultOf(run) !== null && fits(run);
      const run = await pickRun(runs, argument, title, fitting);
      if (!run) return undefined;
      const result = resultOf(run);
      if (result === null)
        throw new EngineInputError({
          code: 'bad_input',
          message: `“${run.name}” has no adapter yet, as it has not completed.`,
        });
      return act(run, result, more);
    });
  let lastPrompt = '';
  /** Results that were tried, by their paths, which identify their documents. */
  const tried = new Map<string, FolderRun>();
  /** @param result of the run, or a model that was made from it */
  const tryOn = async (run: FolderRun, result: string, given?: unknown) => {
    const prompt = typeof given === 'string' ? given : await askPrompt(run, lastPrompt);
    if (!prompt) return;
    lastPrompt = prompt;
    tried.set(result, run);
    const [base, tuned] = await answers(engine, run, result, prompt);
    await documents.show(result, run.name, { prompt, base, tuned });
    stepDone('try');
  };
  /** Not awaited by the command, which has ended, while the notification may stay open. */
  const offer = (message: string, choices: readonly Choice[]) => void offerNext(output, message, choices);

  return vscode.Disposable.from(
    documents,
    // Both take the target folder as their second argument when called by other code; menus pass the selection there.
    command(
      'tunewright.mergeAdapter',
      'Merge Adapter into Model',
      run => methods.canMerge(peftTypeOf(run.config)),
      async (run, result, home) => {
        const model = basename(modelOf(run));
        const merged = await intoFolder(`${run.name}-merged`, home, 'Merge Here', folder =>
          cancellable(`Merging ${run.name} into ${model}`, token =>
            engine.json(['merge', '--model', modelOf(run), '--adapter', result, '--out', folder], { token }),
          ),
        );
        if (merged) await vscode.commands.executeCommand('tunewright.refreshModels');
        if (merged)
          offer(
            `${run.name} is merged into ${model}. The new model is in ${vscode.workspace.asRelativePath(merged)}.`,
            [
              { title: 'Try It', act: () => openPlayground(besideBase(run, merged)) },
              {
                title: 'Use as Base',
                act: () => vscode.commands.executeCommand('tunewright.fineTuneModel', { id: merged }),
              },
              { title: 'Show in Explorer', act: () => reveal(merged) },
            ],
          );
        return merged;
      },
    ),
    // For other code, which names the folder; without one it is asked in the Export view.
    command(
      'tunewright.exportAdapter',
      'Export Adapter',
      () => true,
      async (run, result, home) => {
        if (!(home instanceof vscode.Uri)) return vscode.commands.executeCommand('tunewright.export', run.folder);
        const file = vscode.Uri.joinPath(home, `${run.name}.gguf`).fsPath;
        const args = ['export', '--adapter', result, '--model', modelOf(run), '--to', 'gguf', '--out', file];
        await cancellable(`Exporting ${run.name}`, token => engine.json(args, { token }));
        return file;
      },
    ),
    command(
      'tunewright.rowsByLoss',
      'Rows by Loss',
      () => true,
      run => vscode.commands.executeCommand('tunewright.dashboard.open', run.folder, 'suspect'),
    ),
    command('tunewright.tryAdapter', 'Try Adapter', () => true, tryOn),
    registerGuarded(output, 'tunewright.tryAgain', () => {
      const result = AnswerDocuments.resultOf(vscode.window.activeTextEditor?.document.uri);
      const run = result === null ? undefined : tried.get(result);
      return run && tryOn(run, result!);
    }),
    runs.onDidEnd(run => {
      if (run.phase === 'completed' && resultOf(run) !== null) offer(finishedText(run), resultChoices(run, methods));
    }),
  );
}

const modelOf = (run: FolderRun) => (run.config as { model: string }).model;

/** A merged model beside the base that it was made from. */
function besideBase(run: FolderRun, merged: string): PlaygroundArguments {
  const base = argumentsOfRun(run);
  return { ...base, columns: [base.columns[0]!, { name: basename(merged), path: null, model: merged }] };
}

interface Choice {
  title: string;
  act(): unknown;
}

/** @param choices what the user may do next */
async function offerNext(output: vscode.LogOutputChannel, message: string, choices: readonly Choice[]): Promise<void> {
  const answer = await showInformationMessage(message, ...choices.map(({ title }) => title));
  const chosen = choices.find(({ title }) => title === answer);
  if (chosen) await guarded(output, message, () => chosen.act());
}

function finishedText(run: FolderRun): string {
  const state = run.glance();
  const loss = runFigure(state);
  const [failed] = state.failedExports;
  const exports = failed ? ` An export (${failed.target}) failed: ${failed.message}.` : '';
  return `${run.name} has finished${loss ? `: ${longFigure(loss)}` : ''}.${exports}`;
}

/** What can be done with a run's result; the same as in its dashboard. */
function resultChoices(run: FolderRun, methods: KnownMethods): Choice[] {
  const mergeable = methods.canMerge(peftTypeOf(run.config));
  const choice = (title: string, id: string) => ({
    title,
    act: () => vscode.commands.executeCommand(`tunewright.${id}`, run.folder),
  });
  return [
    choice('Try It', 'openPlayground'),
    ...(mergeable ? [choice('Merge...', 'mergeAdapter')] : []),
    choice('Export...', 'export'),
    choice('Train Further...', 'trainFurther'),
  ];
}

/** Asks for the parent of the new folder. @returns path of the new folder, undefined if the user cancelled */
async function intoFolder(
  name: string,
  given: unknown,
  openLabel: string,
  fill: (folder: string) => Thenable<unknown>,
): Promise<string | undefined> {
  const defaultUri = vscode.workspace.workspaceFolders?.[0]?.uri;
  const canSelect = { canSelectFiles: false, canSelectFolders: true };
  const picked =
    given instanceof vscode.Uri
      ? given
      : (
          await vscode.window.showOpenDialog({ title: `${openLabel}: ${name}`, openLabel, defaultUri, ...canSelect })
        )?.[0];
  const folder = picked && (await placeFor(join(picked.fsPath, name)));
  if (!folder) return undefined;
  await replaceFolder(folder, async path => fill(path));
  return folder;
}

/** Replaces a folder only if the user confirms, and only a model or an adapter. */
async function placeFor(folder: string): Promise<string | undefined> {
  const isResult = RESULT_FILES.some(name => existsSync(join(folder, name)));
  return (await newPlace(folder, { offers: { replace: isResult, keepBoth: true } }))?.path;
}

function askPrompt({ name }: FolderRun, value: string): Thenable<string | undefined> {
  return showInputBox({
    title: `Try ${name}`,
    prompt: 'Prompt for the base model and the fine-tuned model',
    placeHolder: 'My parcel is late.',
    value,
  });
}

/** Answers of the base model and of the run's result, decoded greedily. */
async function answers(
  engine: EngineService,
  run: FolderRun,
  result: string,
  prompt: string,
): Promise<[string, string]> {
  const ask = (token: vscode.CancellationToken, model: string, ...more: string[]) => {
    const asked = ['--model', model, '--prompt', prompt, '--max-new-tokens', String(MAX_NEW_TOKENS)];
    return engine.json<Generated>(['generate', ...asked, ...baseFlags(run.config), ...more], { token });
  };
  return cancellable(`Generating answers with ${run.name}`, async token => {
    if (!isWholeModel(result)) {
      const [base, tuned] = (await ask(token, modelOf(run), '--base', '--adapter', result)).answers;
      return [base!.text, tuned!.text];
    }
    const [base, tuned] = [await ask(token, modelOf(run)), await ask(token, result)];
    return [base.answers[0]!.text, tuned.answers[0]!.text];
  });
}
