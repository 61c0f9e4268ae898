// The host's side of the run panel in the side bar: the choices of its form, the engine's answers on the draft, and its
// start. The draft is stored with the workspace, so that commands can use it whether the view is open or not.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import {
  choicesChanged,
  dataChanged,
  describeData,
  draftChanged,
  draftShown,
  estimateDraft,
  inspectModel,
  listGpus,
  openData,
  openPanel,
  pick,
  propose,
  pullModel,
  startDraft,
  trustGranted,
  type Choices,
  type Draft,
  type ModelFacts,
  type OrProblem,
  type Pickable,
  type Problem,
  type TrainingData,
} from '../../protocol/runPanelMessages.js';
import { knownGpu } from '../../core/gpuMemory.js';
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import { ROW_FILE_ENDINGS } from '../../core/data/rowFileTypes.js';
import type { ProposedRun } from '../../core/runs/proposeRun.js';
import { block, pathFields } from '../../core/runs/runFileKeys.js';
import type { EstimateAnswer, ModelInspection } from '../../protocol/answers.js';
import { findRaces, racesChanged } from '../../protocol/raceMessages.js';
import type { WebviewChannel } from '../../protocol/webviewChannel.js';
import { readText } from '../../system/regularFile.js';
import { keptDraft } from '../keptValues.js';
import { guarded, registerGuarded } from '../commands/guarded.js';
import { askModelId, proposal, type RunDrafter } from '../commands/runDraft.js';
import type { DatasetParts } from '../datasets/register.js';
import { modelFactsOf, problemOf } from '../engineProcess/engineAnswers.js';
import { EMBEDDED_MODEL, type MachineModel } from '../engineProcess/machineModels.js';
import type { Clusters } from '../clusters/clusters.js';
import { askAddress } from '../commands/clusterCommands.js';
import { compareMethods } from '../races/compareMethods.js';
import { racesOn } from '../races/measuredRaces.js';
import { openAtLine } from '../runFiles/openAt.js';
import type { KnownMethods } from '../runFiles/knownMethods.js';
import { readRunDocument } from '../runFiles/runDocument.js';
import { withAbsolutePaths } from '../runFiles/runFilePaths.js';
import { saveRunFile } from '../runFiles/saveRunFile.js';
import { runFolderFiles } from '../runs/runFolderFiles.js';
import { EngineInputError, type HostServices, type Run } from '../services.js';
import type { WorkspaceModels } from '../workspaceModels.js';
import { webviewChannelOf } from './webviewChannelOf.js';

const VIEW_ID = 'tunewright.runPanel';
const DRAFT = 'runPanel.draft';
/** Changes of the workspace's files come in bursts. */
const CHOICES_DELAY_MS = 500;

/** What the panel offers and knows. */
export interface RunPanelSources {
  methods: KnownMethods;
  models: WorkspaceModels;
  datasets: Pick<DatasetParts, 'found' | 'trainingData' | 'reading'>;
  drafter: RunDrafter;
  clusters: Pick<Clusters, 'named'>;
}

export function registerRunPanel(services: HostServices, sources: RunPanelSources): vscode.Disposable {
  const panel = new RunPanel(services, sources);
  const { output } = services;
  return vscode.Disposable.from(
    panel,
    vscode.window.registerWebviewViewProvider(VIEW_ID, panel),
    registerGuarded(output, 'tunewright.runPanel.openFile', () => panel.openFile()),
    registerGuarded(output, 'tunewright.runPanel.save', () => panel.save()),
    registerGuarded(output, 'tunewright.runPanel.reset', () => panel.show({}, null)),
    registerGuarded(output, 'tunewright.compareMethods', uri =>
      compareMethods(uri, { ...sources, engine: services.engine, draft: () => absolute(panel.shown) }),
    ),
    // For the refresh of the Models view only, so not in the palette.
    registerGuarded(output, 'tunewright.runPanel.refreshChoices', () => panel.listModelsSoon()),
    registerGuarded(output, 'tunewright.openRunFileInPanel', uri => panel.openFile(uri)),
    // For the last quick pick of Fine-Tune a Model only, so not in the palette. The form shows the name as a hint.
    registerGuarded(output, 'tunewright.editDraftInPanel', proposed => {
      const { name: _, ...draft } = proposed as ProposedRun;
      return panel.show(draft, null);
    }),
  );
}

class RunPanel implements vscode.WebviewViewProvider, vscode.Disposable {
  private channel: WebviewChannel | null = null;
  private draft: Draft;
  private runFile: string | null = null;
  private models: readonly MachineModel[] = [EMBEDDED_MODEL];
  /** Whether there may be others, which an engine process has to list. */
  private modelsChanged = true;
  /** End the watch of the draft's datasets. */
  private watched: (() => void)[] = [];
  private estimating: vscode.CancellationTokenSource | null = null;
  private choicesTimer: ReturnType<typeof setTimeout> | undefined;
  /** The last model. */
  private inspected: { reference: string; inspection: ModelInspection } | null = null;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly services: HostServices,
    private readonly sources: RunPanelSources,
  ) {
    this.draft = keptDraft(services.context.workspaceState.get(DRAFT));
    // Written at the end of a race.
    const reports = vscode.workspace.createFileSystemWatcher('**/races/*/report.md');
    this.subscriptions = [
      sources.datasets.found.onDidChange(() => this.sendChoicesSoon()),
      sources.models.onDidChange(() => this.listModelsSoon()),
      vscode.workspace.onDidChangeConfiguration(event => {
        if (event.affectsConfiguration('tunewright.clusters')) this.sendChoicesSoon();
      }),
      reports,
      reports.onDidCreate(() => this.channel?.notify(racesChanged, undefined)),
      reports.onDidChange(() => this.channel?.notify(racesChanged, undefined)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        this.channel?.notify(trustGranted, undefined);
        this.listModelsSoon();
      }),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    const bundle = { name: 'runPanel', title: 'Run panel', commands: ['workbench.trust.manage'] };
    const channel = webviewChannelOf(view.webview, bundle, this.services);
    this.channel = channel;
    channel.onRequest(openPanel, async () => {
      const opened = {
        schema: this.schema(),
        trusted: vscode.workspace.isTrusted,
        choices: await this.choices(),
        shown: { draft: this.draft, runFile: this.runFile },
      };
      // Later than the answer, which the page needs before it accepts notifications.
      this.listModelsSoon();
      return opened;
    });
    channel.onNotification(draftChanged, draft => this.keep(draft));
    channel.onRequest(pick, what => pickPath(what));
    channel.onRequest(propose, choice => proposal(choice, { methods: this.sources.methods, engine: this }));
    channel.onRequest(inspectModel, model => this.inspect(model));
    channel.onRequest(pullModel, async model => {
      const path = await vscode.commands.executeCommand('tunewright.pullModel', model);
      return typeof path === 'string';
    });
    channel.onRequest(describeData, draft => this.describeData(draft));
    channel.onNotification(openData, ({ path, line }) => {
      void guarded(this.services.output, 'run panel: open dataset', () => openAtLine(path, line));
    });
    channel.onRequest(findRaces, draft =>
      racesOn(absolute(draft), path =>
        this.sources.datasets.reading.worker.request('hash', { path }).catch(() => null),
      ),
    );
    channel.onRequest(listGpus, async () => {
      const { webgpu } = await this.services.engine.json<EngineStatusAnswer>(['engine', 'status']);
      return webgpu.adapters.map(knownGpu);
    });
    channel.onRequest(estimateDraft, draft => this.estimate(draft));
    channel.onRequest(startDraft, draft => this.start(draft));
    view.onDidDispose(() => {
      this.unwatch();
      channel.dispose();
      this.channel = null;
    });
  }

  get shown(): Draft {
    return this.draft;
  }

  /** Opens the form with a draft. */
  async show(draft: Draft, runFile: string | null): Promise<void> {
    this.keep(draft);
    this.runFile = runFile;
    this.channel?.notify(draftShown, { draft, runFile });
    await vscode.commands.executeCommand(`${VIEW_ID}.focus`);
  }

  async openFile(uri?: unknown): Promise<void> {
    const picked =
      uri instanceof vscode.Uri
        ? uri
        : (
            await vscode.window.showOpenDialog({
              title: 'Open Run File',
              filters: { 'Run files': ['json'] },
              openLabel: 'Open',
            })
          )?.[0];
    if (picked) await this.show((await readRunDocument(picked)) as Draft, picked.fsPath);
  }

  async save(): Promise<void> {
    const { name } = this.draft;
    // A run's own run.json must not be overwritten.
    const file = this.runFile?.endsWith('.tune.json') ? this.runFile : null;
    const saved = await saveRunFile(this.draft, { name: typeof name === 'string' ? name : 'run', file });
    if (!saved) return;
    this.runFile = saved;
    this.channel?.notify(draftShown, { draft: this.draft, runFile: saved });
  }

  dispose(): void {
    clearTimeout(this.choicesTimer);
    this.unwatch();
    this.estimating?.dispose();
    this.channel?.dispose();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private keep(draft: Draft): void {
    this.draft = draft;
    void this.services.context.workspaceState.update(DRAFT, draft);
  }

  /** Generated from the engine's schemas (scripts/writeSchemas.mjs). */
  private schema(): Record<string, unknown> {
    const file = join(this.services.context.extensionPath, 'media', 'schemas', 'run.schema.json');
    return JSON.parse(readText(file) ?? '') as Record<string, unknown>;
  }

  /** Lists the models again, which may have changed, and sends the choices. */
  listModelsSoon(): void {
    this.modelsChanged = true;
    this.sendChoicesSoon();
  }

  /** Sends the choices again, of which the datasets may have changed. */
  private sendChoicesSoon(): void {
    if (!this.channel) return;
    clearTimeout(this.choicesTimer);
    this.choicesTimer = setTimeout(() => void this.sendChoices(), CHOICES_DELAY_MS);
  }

  private async sendChoices(): Promise<void> {
    const { output } = this.services;
    if (this.modelsChanged && vscode.workspace.isTrusted)
      try {
        this.modelsChanged = false;
        this.models = [EMBEDDED_MODEL, ...(await this.sources.models.list()).filter(({ reason }) => reason === null)];
      } catch (error) {
        this.modelsChanged = true;
        output.warn(`Run panel: the models of this machine can’t be listed: ${(error as Error).message}`);
      }
    this.channel?.notify(choicesChanged, await this.choices());
  }

  private async choices(): Promise<Choices> {
    const { own, bundled } = await this.sources.datasets.found.list();
    const datasets = own.map(path => ({
      path,
      label: basename(path),
      group: dirname(vscode.workspace.asRelativePath(path)).replace(/^\.$/, 'workspace'),
    }));
    return {
      models: this.models.map(({ id, label, description }) => ({ id, label, group: '', detail: description })),
      datasets: [
        ...datasets.sort((a, b) => (a.label < b.label ? -1 : 1)),
        ...bundled.map(path => ({ path, label: basename(path), group: 'example' })),
      ],
      clusters: this.sources.clusters.named(),
    };
  }

  private inspect(model: string): Promise<OrProblem<ModelFacts>> {
    return this.orProblem({}, async () => modelFactsOf(await this.inspectAgain(model)));
  }

  /** For proposals, which are made with every choice: as it was when the model was chosen. */
  async inspectModel(model: string): Promise<ModelInspection> {
    return this.inspected?.reference === model ? this.inspected.inspection : this.inspectAgain(model);
  }

  private async inspectAgain(model: string): Promise<ModelInspection> {
    const inspection = await this.services.engine.inspectModel(model);
    this.inspected = { reference: model, inspection };
    return inspection;
  }

  private async describeData(shown: Draft): Promise<TrainingData | null> {
    const draft = absolute(shown);
    const { trainingData } = this.sources.datasets;
    this.unwatch();
    const files = pathFields(draft).filter(({ field }) => field === 'dataset.train' || field === 'dataset.validation');
    const changed = () => this.channel?.notify(dataChanged, undefined);
    this.watched = files.map(({ path }) => trainingData.watch(path, changed));
    return trainingData.factsOf(draft, vscode.Uri.file(this.draftFile));
  }

  private unwatch(): void {
    for (const stop of this.watched) stop();
    this.watched = [];
  }

  /** Cancels an estimate in progress, so that the latest draft wins. */
  private async estimate(shown: Draft): Promise<OrProblem<EstimateAnswer>> {
    this.estimating?.cancel();
    const own = new vscode.CancellationTokenSource();
    this.estimating = own;
    const draft = absolute(shown);
    // Memory doesn't depend on the dataset, so that a draft without one can be estimated, too.
    const dataset = { train: 'rows.jsonl', ...block(draft, 'dataset') };
    try {
      return await this.orProblem(draft, () =>
        this.services.engine.estimate({ ...draft, dataset }, this.draftFile, { token: own.token }),
      );
    } finally {
      own.dispose();
    }
  }

  /** Ends when the run trains or has failed; what is wrong with the draft is then shown at its field. */
  private async start(shown: Draft): Promise<OrProblem<string | null>> {
    const draft = absolute(shown);
    const missing = pathFields(draft).find(({ path }) => !existsSync(path));
    if (missing) return { ok: false, problem: { field: missing.field, message: `${missing.path} does not exist.` } };
    try {
      const run = await this.services.runs.start(draft);
      await vscode.commands.executeCommand('tunewright.dashboard.open', run.folder);
      await begun(run);
      const { started, failed } = run.glance();
      if (started || !failed) return { ok: true, value: run.folder };
      const record = { ...failed, code: failed.code ?? ('internal' as const) };
      return { ok: false, problem: problemOf(record, draft, runFolderFiles(run.folder).run) };
    } catch (error) {
      if (error instanceof vscode.CancellationError) return { ok: true, value: null };
      if (error instanceof EngineInputError) return this.refusal(error, draft);
      throw error;
    }
  }

  /**
   * Path of the draft for the engine, although it is not a file; its folder has no files that relative paths could
   * match.
   */
  private get draftFile(): string {
    const { context } = this.services;
    return join((context.storageUri ?? context.globalStorageUri).fsPath, 'draft.json');
  }

  /** Returns problems of the draft as an answer, and throws other errors. */
  private async orProblem<T>(draft: Draft, ask: () => Promise<T>): Promise<OrProblem<T>> {
    try {
      return { ok: true, value: await ask() };
    } catch (error) {
      if (error instanceof EngineInputError) return this.refusal(error, draft);
      throw error;
    }
  }

  private refusal({ record }: EngineInputError, draft: Draft): { ok: false; problem: Problem } {
    return { ok: false, problem: problemOf(record, draft, this.draftFile) };
  }
}

/** Relative paths that a user types are relative to the workspace. */
function absolute(draft: Draft): Draft {
  const home = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  return home === undefined ? draft : (withAbsolutePaths(draft, home) as Draft);
}

/** Once the run has started to train, or has ended. */
function begun(run: Run): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (run.alive && !run.glance().started) return;
      listener.dispose();
      resolve();
    };
    const listener = run.onDidChange(look);
    look();
  });
}

async function pickPath(what: Pickable): Promise<string | null> {
  if (what === 'cluster') return (await askAddress('Ray Cluster')) ?? null;
  if (what === 'model_id') return (await askModelId())?.trim() || null;
  const folders = what === 'model_folder' || what === 'adapter';
  const titles: Record<Exclude<Pickable, 'model_id' | 'cluster'>, string> = {
    model_folder: 'Choose a Model Folder',
    model_file: 'Choose a GGUF File',
    dataset: 'Choose a Dataset',
    validation: 'Choose a Validation Dataset',
    adapter: 'Choose an Adapter Folder',
  };
  const filters: Record<string, string[]> =
    what === 'model_file' ? { GGUF: ['gguf'] } : { Datasets: [...ROW_FILE_ENDINGS] };
  const picked = await vscode.window.showOpenDialog({
    title: titles[what],
    canSelectFolders: folders,
    canSelectFiles: !folders,
    openLabel: 'Choose',
    ...(folders ? {} : { filters }),
  });
  return picked?.[0]?.fsPath ?? null;
}
