// The playground's editor tabs: opens one for a model with its columns, and restores it after a reload of the window. The
// conversation is up to playgroundSession.ts; what can answer in a column, to playgroundColumns.ts.
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { isSameDevice, newConversation } from '../../core/playground/conversation.js';
import { EMBEDDED_MODEL_ID } from '../../core/runs/proposeRun.js';
import type { Conversation } from '../../protocol/playgroundMessages.js';
import { readText } from '../../system/regularFile.js';
import { keptConversation } from '../keptValues.js';
import { registerGuarded } from '../commands/guarded.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { resultOf } from '../runs/runResult.js';
import type { HostServices, Run, SessionService } from '../services.js';
import { requireTrust, trusted } from '../trustedActions.js';
import { stepDone } from '../walkthrough.js';
import type { WorkspaceModels } from '../workspaceModels.js';
import { FolderConversations } from './conversationStore.js';
import {
  argumentsOfModel,
  argumentsOfRun,
  columnOfRun,
  columnsOf,
  pickArguments,
  pickColumn,
  type PlaygroundArguments,
} from './playgroundColumns.js';
import { PlaygroundSession, type Corrections } from './playgroundSession.js';
import { webviewChannelOf } from './webviewChannelOf.js';

const VIEW_TYPE = 'tunewright.playground';
const MAX_IMPORT_BYTES = 64 << 20;

export interface PlaygroundParts {
  models: WorkspaceModels;
  methods: KnownMethods;
  sessions: SessionService;
  corrections: Corrections<vscode.Uri>;
}

export function registerPlayground(services: HostServices, parts: PlaygroundParts): vscode.Disposable {
  const playgrounds = new Playgrounds(services, parts);
  return vscode.Disposable.from(
    playgrounds,
    // Arguments: what to show, a run or its folder, a model of the Models view; without any, the user is asked.
    registerGuarded(services.output, 'tunewright.openPlayground', async (argument, prompt) => {
      const given = playgrounds.argumentsOf(argument) ?? (await pickArguments(services.runs, parts.models));
      if (given) playgrounds.open(typeof prompt === 'string' ? { ...given, prompt } : given);
    }),
    // For the Dataset Preview only, so not in the palette: a row's prompt, for the latest result of its dataset.
    registerGuarded(services.output, 'tunewright.askRowInPlayground', (dataset, row) =>
      playgrounds.askRow(dataset as vscode.Uri, row as { prompt: string; system?: string }),
    ),
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: (panel, kept: unknown) => playgrounds.restore(panel, keptConversation(kept)),
    }),
  );
}

/** Opens a playground, or shows the open one of this model with these columns. */
export function openPlayground(given: PlaygroundArguments): Thenable<unknown> {
  return vscode.commands.executeCommand('tunewright.openPlayground', given);
}

class Playgrounds implements vscode.Disposable {
  private readonly shown = new Map<vscode.WebviewPanel, PlaygroundSession>();
  private readonly store: FolderConversations;

  constructor(
    private readonly services: HostServices,
    private readonly parts: PlaygroundParts,
  ) {
    const { storageUri, globalStorageUri } = services.context;
    this.store = new FolderConversations(join((storageUri ?? globalStorageUri).fsPath, 'conversations'), trusted);
  }

  /** What an argument of the command names; undefined: nothing. */
  argumentsOf(argument: unknown): PlaygroundArguments | undefined {
    const { runs } = this.services;
    const named = (typeof argument === 'object' && argument ? argument : {}) as {
      columns?: unknown;
      folder?: unknown;
      run?: { folder?: unknown };
      id?: unknown;
      path?: unknown;
    };
    if (Array.isArray(named.columns)) return argument as PlaygroundArguments;
    const folder = typeof argument === 'string' ? argument : (named.folder ?? named.run?.folder);
    const run = typeof folder === 'string' ? runs.get(folder) : undefined;
    if (run) return argumentsOfRun(run);
    return typeof named.id === 'string'
      ? argumentsOfModel(typeof named.path === 'string' ? named.path : named.id)
      : undefined;
  }

  open(given: PlaygroundArguments): void {
    requireTrust();
    stepDone('try');
    const { model, baseWeights = null, device = null, system, prompt = '' } = given;
    const columns = columnsOf(given);
    const same = [...this.shown].find(
      ([, session]) =>
        session.conversation.model === model &&
        session.conversation.base_weights === baseWeights &&
        isSameDevice(session.conversation.device, device) &&
        session.hasRoomFor(columns),
    );
    if (same) {
      const [panel, session] = same;
      panel.reveal();
      for (const column of columns) session.addColumn(column);
      if (prompt) session.propose(prompt);
      return;
    }
    const panel = vscode.window.createWebviewPanel(VIEW_TYPE, 'Playground', vscode.ViewColumn.Active, {
      retainContextWhenHidden: true,
    });
    const conversation = newConversation({
      id: randomUUID(),
      model,
      base_weights: baseWeights,
      device,
      columns,
      ...(system === undefined ? {} : { system }),
    });
    this.adopt(panel, conversation, prompt, true);
  }

  askRow(dataset: vscode.Uri, { prompt, system }: { prompt: string; system?: string }): void {
    const trainedOn = ({ config }: Run) => (config as { dataset?: { train?: unknown } }).dataset?.train;
    const results = this.services.runs.runs().filter(run => resultOf(run) !== null);
    const run = results.find(each => trainedOn(each) === dataset.fsPath) ?? results[0];
    const given = run ? argumentsOfRun(run) : argumentsOfModel(EMBEDDED_MODEL_ID);
    this.open({ ...given, prompt, ...(system === undefined ? {} : { system }) });
  }

  async restore(panel: vscode.WebviewPanel, id: string): Promise<void> {
    const empty = () =>
      newConversation({ id: randomUUID(), model: EMBEDDED_MODEL_ID, columns: columnsOf(argumentsOfModel('')) });
    const conversation = await this.store.read(id).catch(empty);
    this.adopt(panel, conversation, '', false);
  }

  dispose(): void {
    for (const panel of this.shown.keys()) panel.dispose();
  }

  private adopt(panel: vscode.WebviewPanel, conversation: Conversation, prompt: string, loadAtOnce: boolean): void {
    const { runs, context, output } = this.services;
    const icon = (theme: string) =>
      vscode.Uri.joinPath(context.extensionUri, 'media', 'icons', `playground-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    const showTitle = ({ turns, title, columns }: Conversation) => {
      panel.title = turns.length > 0 ? title : `Playground: ${columns.at(-1)!.name}`;
    };
    showTitle(conversation);
    const session = new PlaygroundSession({
      channel: webviewChannelOf(panel.webview, { name: 'playground', title: 'Playground' }, this.services),
      conversation,
      prompt,
      loadAtOnce: loadAtOnce && vscode.workspace.isTrusted,
      folder: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? homedir(),
      sessions: this.parts.sessions,
      store: this.store,
      corrections: this.parts.corrections,
      newCancellation: () => new vscode.CancellationTokenSource(),
      newId: () => randomUUID(),
      nowMs: () => Date.now(),
      isTrusted: () => vscode.workspace.isTrusted,
      columnOfRun,
      pickColumn: now => pickColumn(now, runs, this.parts.models, this.parts.methods),
      saveFile,
      openFile,
      openRun: folder => void vscode.commands.executeCommand('tunewright.openDashboard', folder),
      onShown: showTitle,
    });
    this.shown.set(panel, session);
    const changes = [vscode.workspace.onDidGrantWorkspaceTrust, runs.onDidChange, runs.onDidStart, runs.onDidEnd];
    const listening = changes.map(change => change(() => session.refresh()));
    panel.onDidDispose(() => {
      this.shown.delete(panel);
      vscode.Disposable.from(...listening).dispose();
      session.dispose();
    });
    output.debug(`Playground on ${conversation.model}`);
  }
}

async function saveFile(name: string, text: string): Promise<string | null> {
  requireTrust();
  const home = vscode.workspace.workspaceFolders?.[0]?.uri;
  const target = await vscode.window.showSaveDialog({
    title: 'Export Conversation',
    defaultUri: home && vscode.Uri.joinPath(home, name),
    filters: { JSONL: ['jsonl'] },
  });
  if (!target) return null;
  trusted.saveChosen(target.fsPath, text);
  return vscode.workspace.asRelativePath(target);
}

async function openFile(): Promise<string | null> {
  const [file] =
    (await vscode.window.showOpenDialog({
      title: 'Import Conversation',
      openLabel: 'Import',
      filters: { JSONL: ['jsonl', 'ndjson'] },
    })) ?? [];
  return file ? readText(file.fsPath, 'follow', MAX_IMPORT_BYTES) : null;
}
