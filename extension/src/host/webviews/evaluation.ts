// Evaluate on a Dataset: asks for a model and rows, and shows in an editor tab what the engine's `evaluate` makes of them. The content
// of a tab is up to evaluationSession.ts.
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { block } from '../../core/runs/runFileKeys.js';
import {
  evaluationSnapshotSchema,
  type EvaluationSnapshot,
  type EvaluationTarget,
} from '../../protocol/evaluationMessages.js';
import { guarded, registerGuarded } from '../commands/guarded.js';
import { runOf } from '../commands/pickRun.js';
import type { WorkspaceDatasets } from '../datasets/workspaceDatasets.js';
import { openAtLine } from '../runFiles/openAt.js';
import type { FolderRunService } from '../runs/runService.js';
import { resultOf } from '../runs/runResult.js';
import type { HostServices } from '../services.js';
import { chosenModel, modelItems, NO_MODELS } from '../suites/testedModels.js';
import { requireTrust } from '../trustedActions.js';
import { showQuickPick, type PickItem } from '../window.js';
import { evaluateArguments } from './evaluateArguments.js';
import type { EngineLine } from './engineLines.js';
import { EvaluationSession } from './evaluationSession.js';
import { withToken } from './withToken.js';
import { tabIcon, webviewChannelOf } from './webviewChannelOf.js';

const VIEW_TYPE = 'tunewright.evaluation';
const TITLE = 'Evaluate on a Dataset';

export function registerEvaluation(
  services: HostServices & { runs: FolderRunService },
  found: Pick<WorkspaceDatasets, 'list'>,
): vscode.Disposable {
  const { runs, output } = services;
  return vscode.Disposable.from(
    // A second argument, from other code, says what else the user would be asked; menus pass the selection there.
    registerGuarded(output, 'tunewright.evaluateDataset', async (argument, more) => {
      requireTrust();
      const run = runOf(runs, argument);
      const tested =
        run && resultOf(run) !== null ? { run: run.folder, step: null } : await pickOne(runs, run?.folder ?? null);
      if (!tested) return undefined;
      const rows = isRows(more) ? more : await pickRows(tested.run, services, found);
      return rows && open(services, { shown: null, target: { ...tested, ...rows } });
    }),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel, kept: unknown) => {
        const shown = evaluationSnapshotSchema.safeParse(kept).data;
        if (shown) adopt(panel, services, { shown, target: shown.target });
        else panel.dispose();
      },
    }),
  );
}

type Rows = Pick<EvaluationTarget, 'dataset' | 'answers'>;

function isRows(value: unknown): value is Rows {
  return typeof value === 'object' && value !== null && 'dataset' in value && 'answers' in value;
}

/** @param folder of the run whose checkpoints are offered; null: results and checkpoints of all runs */
async function pickOne(runs: FolderRunService, folder: string | null) {
  const items = modelItems(runs.runs()).filter(({ choice }) => folder === null || choice.run === folder);
  const placeHolder = items.length === 0 ? NO_MODELS : 'Choose what is evaluated';
  return (await showQuickPick(items, { title: TITLE, placeHolder }))?.choice;
}

async function pickRows(
  folder: string,
  { runs }: HostServices,
  found: Pick<WorkspaceDatasets, 'list'>,
): Promise<Rows | undefined> {
  const { train, validation } = block(runs.get(folder)!.config as Record<string, unknown>, 'dataset');
  const { own, bundled } = await found.list();
  const known = new Map<string, string>();
  if (typeof validation === 'string') known.set(validation, 'validation rows of this run');
  if (typeof train === 'string') known.set(train, 'the run was trained on these rows');
  const items = [...new Set([...known.keys(), ...own, ...bundled])].map((path): PickItem & { path: string } => ({
    icon: 'database',
    label: basename(path),
    description: known.get(path) ?? '',
    detail: vscode.workspace.asRelativePath(path),
    path,
  }));
  const browse = { icon: 'folder-opened', label: 'Browse...', path: '' };
  const placeHolder = 'Choose rows, preferably ones that the model was not trained on';
  const picked = await showQuickPick([...items, browse], { title: TITLE, placeHolder, matchOnDetail: true });
  const dataset = picked === browse ? await browseForFile() : picked?.path;
  if (dataset === undefined) return undefined;
  const answers = await showQuickPick(
    [
      { label: 'Loss and Answers', detail: 'The model also answers each row: ROUGE, exact match', answers: true },
      { label: 'Loss Only', detail: 'Much faster', answers: false },
    ],
    { title: `${TITLE}: ${basename(dataset)}`, placeHolder: 'Choose what is measured' },
  );
  return answers && { dataset, answers: answers.answers };
}

async function browseForFile(): Promise<string | undefined> {
  const files = await vscode.window.showOpenDialog({ title: TITLE, openLabel: 'Evaluate' });
  return files?.[0]?.fsPath;
}

interface Shown {
  target: EvaluationTarget;
  /** From before the window was reloaded. */
  shown: EvaluationSnapshot | null;
}

function open(services: HostServices, what: Shown): EvaluationSession {
  const panel = vscode.window.createWebviewPanel(VIEW_TYPE, TITLE, vscode.ViewColumn.Active, {
    enableFindWidget: true,
  });
  return adopt(panel, services, what);
}

function adopt(panel: vscode.WebviewPanel, services: HostServices, { target, shown }: Shown): EvaluationSession {
  const { engine, runs, output, context } = services;
  panel.iconPath = tabIcon(context);
  const model = () => chosenModel(target, runs.runs());
  const name = shown?.name ?? model()?.name ?? basename(target.run);
  panel.title = `${name} on ${basename(target.dataset)}`;
  const session = new EvaluationSession({
    channel: webviewChannelOf(panel.webview, { name: 'evaluation', title: 'Evaluation' }, services),
    shown: { target, name, state: shown?.state ?? null },
    evaluate: async (onLine, signal) => {
      const tested = model();
      const run = runs.get(target.run);
      if (!tested || !run) throw new Error('The run, or what it has written, no longer exists.');
      if (!(await engine.ensureInstalled(tested.settings))) throw new vscode.CancellationError();
      const args = evaluateArguments(target, tested, run.config);
      await withToken(signal, token =>
        engine.jsonLines<EngineLine>(args, onLine, { token, cwd: tested.settings.folder }),
      );
    },
    openPlace: (file, line) => void guarded(output, 'evaluation: open row', () => openAtLine(file, line)),
  });
  panel.onDidDispose(() => session.dispose());
  return session;
}
