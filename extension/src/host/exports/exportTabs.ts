// The Export view: an editor tab for a run's result, an adapter or a model. Finds what is exported, asks for places, and runs the
// command line. The content of a tab is up to exportSession.ts.
import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import * as vscode from 'vscode';
import { peftTypeOf } from '../../core/runs/runFileKeys.js';
import { exportPlanSchema, exportPlansSchema, exportTargetFactsSchema } from '../../protocol/exportAnswers.js';
import {
  exportChoiceSchema,
  exportSnapshotSchema,
  hasOwnPlace,
  type ExportCard,
  type ExportChoice,
  type ExportSnapshot,
  type ExportSubject,
} from '../../protocol/exportMessages.js';
import { guarded, registerGuarded } from '../commands/guarded.js';
import { keptToken } from '../commands/hubCommands.js';
import { newPlace } from '../commands/newFolder.js';
import { runOf } from '../commands/pickRun.js';
import { reveal } from '../commands/reveal.js';
import { openAtLine } from '../runFiles/openAt.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import type { FolderRunService } from '../runs/runService.js';
import { isWholeModel, resultOf } from '../runs/runResult.js';
import { deviceOf } from '../runs/runSettings.js';
import { EngineInputError, type HostServices, type Run } from '../services.js';
import { requireTrust } from '../trustedActions.js';
import type { EngineLine } from '../webviews/engineLines.js';
import { tabIcon, webviewChannelOf } from '../webviews/webviewChannelOf.js';
import { withToken } from '../webviews/withToken.js';
import { showQuickPick, tellBriefly, type PickItem } from '../window.js';
import type { WorkspaceModels } from '../workspaceModels.js';
import { ExportSession, type ChosenExport } from './exportSession.js';

const VIEW_TYPE = 'tunewright.export';
const TITLE = 'Export';
/** Key of the workspace's memory. */
const CHOICE = 'tunewright.export.choice';

type Services = HostServices & {
  runs: FolderRunService;
  methods: KnownMethods;
  models: WorkspaceModels;
  /** Something was exported. */
  onExported(): void;
};

export function registerExports(services: Services): vscode.Disposable {
  const { output, runs } = services;
  return vscode.Disposable.from(
    registerGuarded(output, 'tunewright.export', async argument => {
      requireTrust();
      const subject = subjectOf(argument, services) ?? (await pickSubject(services));
      return subject && open(services, { subject, choice: remembered(services), state: { kind: 'choosing' } });
    }),
    registerGuarded(output, 'tunewright.exportAgain', async () => {
      requireTrust();
      const run = runs.runs().find(each => resultOf(each) !== null);
      if (!run) return tellBriefly('info', 'No run of this workspace has a result yet');
      const choice = remembered(services);
      const session = open(services, { subject: ofRun(run, services), choice, state: { kind: 'choosing' } });
      // Without an earlier choice there is nothing to do again: the view asks.
      if (choice === null) return session;
      await session.ready;
      await session.start();
      return session;
    }),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: async (panel, kept: unknown) => {
        const shown = exportSnapshotSchema.safeParse(kept).data;
        if (shown) adopt(panel, services, shown);
        else panel.dispose();
      },
    }),
  );
}

function remembered({ context }: HostServices): ExportChoice | null {
  return exportChoiceSchema.safeParse(context.workspaceState.get(CHOICE)).data ?? null;
}

/** @param argument a run's folder, an element of a tree, or a folder; null: none of these */
function subjectOf(argument: unknown, services: Services): ExportSubject | null {
  const run = runOf(services.runs, argument);
  if (run && resultOf(run) === null)
    throw new EngineInputError({
      code: 'bad_input',
      message: `“${run.name}” has no adapter yet, as it has not completed.`,
    });
  if (run) return ofRun(run, services);
  if (argument instanceof vscode.Uri) return ofPath(argument.fsPath);
  const { id, path } = (argument ?? {}) as { id?: unknown; path?: unknown };
  const model = path ?? id;
  return typeof model === 'string' ? ofPath(model) : null;
}

function ofRun(run: Run, { methods }: Services): ExportSubject {
  const result = resultOf(run)!;
  const { model } = run.config as { model: string };
  const about = `${methods.titleOf(peftTypeOf(run.config))} on ${basename(model)}`;
  if (isWholeModel(result)) return { name: run.name, about, model: result, adapters: [] };
  return { name: run.name, about, model, adapters: [result] };
}

/** An adapter's folder; else a model: a path or its id. */
function ofPath(path: string): ExportSubject {
  const isAdapter = ['adapter_config.json', 'selective_config.json'].some(name => existsSync(join(path, name)));
  const name = basename(path);
  if (isAdapter) return { name, about: 'Adapter', model: null, adapters: [path] };
  return { name, about: 'Model', model: path, adapters: [] };
}

async function pickSubject(services: Services): Promise<ExportSubject | undefined> {
  const results = services.runs.runs().filter(run => resultOf(run) !== null);
  const models = await services.models.list();
  interface Item extends PickItem {
    subject: ExportSubject | null;
  }
  const items: Item[] = [
    ...results.map(run => {
      const subject = ofRun(run, services);
      return { icon: 'extensions', label: subject.name, description: subject.about, detail: run.folder, subject };
    }),
    ...models.map(({ id, label, description, path }) => {
      const subject = { name: label, about: 'Model', model: path ?? id, adapters: [] };
      return { icon: 'symbol-method', label, description, subject };
    }),
    { icon: 'folder-opened', label: 'Browse...', description: 'the folder of an adapter or a model', subject: null },
  ];
  const options = { title: TITLE, placeHolder: 'Choose what is exported', matchOnDetail: true };
  const picked = await showQuickPick(items, options);
  if (!picked || picked.subject) return picked?.subject ?? undefined;
  const folders = await vscode.window.showOpenDialog({ title: TITLE, openLabel: TITLE, canSelectFolders: true });
  return folders?.[0] && ofPath(folders[0].fsPath);
}

type Shown = Pick<ExportSnapshot, 'subject' | 'choice' | 'state'>;

function open(services: Services, shown: Shown): ExportSession {
  const panel = vscode.window.createWebviewPanel(VIEW_TYPE, TITLE, vscode.ViewColumn.Active, {
    enableFindWidget: true,
  });
  return adopt(panel, services, shown);
}

function adopt(panel: vscode.WebviewPanel, services: Services, shown: Shown): ExportSession {
  const { engine, output, context } = services;
  panel.iconPath = tabIcon(context);
  const { subject } = shown;
  panel.title = `${TITLE} ${subject.name}`;
  const source = [
    ...(subject.model === null ? [] : ['--model', subject.model]),
    ...subject.adapters.flatMap(folder => ['--adapter', folder]),
  ];
  const session = new ExportSession({
    channel: webviewChannelOf(panel.webview, { name: 'export', title: TITLE }, services),
    shown,
    targets: async () => exportTargetFactsSchema.array().parse((await engine.capabilities())['exports']),
    plan: async (choice, signal) => {
      const args = ['export', ...source, '--dry-run', ...(choice ? argumentsOf(choice) : [])];
      const env = await keptToken(context.secrets);
      const answer = await withToken(signal, token => engine.json(args, { token, env }));
      if (!choice) return exportPlansSchema.parse(answer).plans;
      return [{ target: choice.target, plan: exportPlanSchema.parse(answer), refused: null }];
    },
    place: (path, card) => freePlace(path, card),
    pickPlace: (path, card) => pickPlace(path, card),
    run: async (choice, { out, force }, onLine, signal) => {
      if (!(await engine.ensureInstalled(deviceOf({})))) throw new vscode.CancellationError();
      const place = [...(out === null ? [] : ['--out', out]), ...(force ? ['--force'] : [])];
      const args = ['export', ...source, ...argumentsOf(choice), ...place, '--progress'];
      const env = await keptToken(context.secrets);
      await withToken(signal, token => engine.jsonLines<EngineLine>(args, onLine, { token, env }));
      services.onExported();
      void vscode.commands.executeCommand('tunewright.refreshModels');
    },
    remember: choice => void context.workspaceState.update(CHOICE, choice),
    shell: process.platform === 'win32' ? 'powershell' : 'posix',
    use: (act, path) =>
      void guarded(output, 'export: use result', async () =>
        act === 'copy' ? vscode.env.clipboard.writeText(path) : reveal(path),
      ),
    openPlace: (file, line) => void guarded(output, 'export: open place', () => openAtLine(file, line)),
  });
  panel.onDidDispose(() => session.dispose());
  return session;
}

/** The options of an export as those of the command line, which have the same names. */
function argumentsOf({ to, options }: ChosenExport): string[] {
  const flags = Object.entries(options).flatMap(([key, value]) => {
    const flag = `--${key.replaceAll('_', '-')}`;
    if (value === null) return [];
    // Options are left out at their defaults, so that false is the opposite of one that is true.
    if (typeof value === 'boolean') return [value ? flag : `--no-${flag.slice(2)}`];
    return [flag, ...[value].flat().map(String)];
  });
  return ['--to', to, ...flags];
}

/** A file is replaced if the user confirms, a folder never. `out` is null for a target with a place of its own. */
async function freePlace(path: string, card: ExportCard): Promise<{ out: string | null; force: boolean } | null> {
  const { writes } = card;
  const isOwn = hasOwnPlace(card);
  const place = await newPlace(path, {
    extension: writes === 'file' ? extname(path) : '',
    offers: { replace: isOwn || writes === 'file', keepBoth: !isOwn },
  });
  return place ? { out: isOwn ? null : place.path, force: place.replaces } : null;
}

async function pickPlace(path: string, { writes, title }: ExportCard): Promise<string | null> {
  const dialog = { title: `${TITLE}: ${title}` };
  if (writes === 'file')
    return (await vscode.window.showSaveDialog({ ...dialog, defaultUri: vscode.Uri.file(path) }))?.fsPath ?? null;
  const defaultUri = vscode.Uri.file(dirname(path));
  const folders = await vscode.window.showOpenDialog({
    ...dialog,
    openLabel: 'Export Here',
    canSelectFiles: false,
    canSelectFolders: true,
    defaultUri,
  });
  return folders?.[0] ? join(folders[0].fsPath, basename(path)) : null;
}
