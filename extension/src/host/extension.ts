// Entry point of the extension: creates the services and registers every part. Does nothing else, so that activation is
// fast.
import * as vscode from 'vscode';
import { Clusters } from './clusters/clusters.js';
import { registerClusterCommands } from './commands/clusterCommands.js';
import { registerEngineCommands } from './commands/engineCommands.js';
import { registerMaintenanceCommands } from './commands/maintenanceCommands.js';
import { registerFineTuneCommands } from './commands/fineTuneCommands.js';
import { registerQuarantineCommand } from './commands/quarantineCommand.js';
import { registerHubCommands } from './commands/hubCommands.js';
import { registerResultCommands } from './commands/resultCommands.js';
import { RunDrafter } from './commands/runDraft.js';
import { registerRunCommands } from './commands/runCommands.js';
import { DatasetCorrections } from './corrections/corrections.js';
import { registerDatasets } from './datasets/register.js';
import { CommandLineEngine } from './engineProcess/engineService.js';
import { KnownMethods } from './runFiles/knownMethods.js';
import { registerRaceTabs } from './races/raceTabs.js';
import { registerRunFileCodeLens } from './runFiles/runFileCodeLens.js';
import { registerRunContextKeys } from './runs/runContextKeys.js';
import { FolderRunService } from './runs/runService.js';
import { registerRunStatusBar } from './runs/runStatusBar.js';
import { registerDetachedRuns } from './runs/detachedRuns.js';
import { registerWindowClose } from './runs/windowClose.js';
import { registerServing } from './serving/register.js';
import type { HostServices } from './services.js';
import { registerLanguageModels } from './sessions/languageModels.js';
import { ProcessSessions } from './sessions/sessionService.js';
import { registerSuites } from './suites/register.js';
import type { SuiteTests } from './suites/suiteTests.js';
import { registerExports } from './exports/exportTabs.js';
import { registerModelsTree } from './views/modelsTree.js';
import { registerRunsTree } from './views/runsTree.js';
import { registerDashboard } from './webviews/dashboard.js';
import { registerEvaluation } from './webviews/evaluation.js';
import { registerPlayground } from './webviews/playground.js';
import { registerRunPanel } from './webviews/runPanel.js';
import { registerWalkthrough } from './walkthrough.js';
import { WorkspaceModels } from './workspaceModels.js';

/** CPU time of this thread, and its value at the first line of the bundle; defined in scripts/build.mjs. */
declare const ownMs: () => number;
declare const loadingBegan: number;
const loadingMs = ownMs() - loadingBegan;

/** CPU time that the extension adds to the start of the editor. */
export interface ActivationTime {
  loadingMs: number;
  activationMs: number;
}

export function activate(
  context: vscode.ExtensionContext,
): HostServices & { corrections: DatasetCorrections; suiteTests: SuiteTests; activation: ActivationTime } {
  const began = ownMs();
  const output = vscode.window.createOutputChannel('Tunewright', { log: true });
  const engine = new CommandLineEngine(context.extensionPath, output);
  const clusters = new Clusters(context);
  const runs = new FolderRunService(context, engine, output, clusters);
  const sessions = new ProcessSessions(runs, engine, {
    program: () => engine.program(),
    log: text => output.debug(text),
    idleMs: () => 60_000 * vscode.workspace.getConfiguration('tunewright').get('sessionIdleMinutes', 10),
  });
  const services: HostServices = { engine, runs, sessions, output, context };
  const datasets = registerDatasets(services);
  const methods = new KnownMethods(context.extensionPath);
  const models = new WorkspaceModels(engine, runs, context);
  const suites = registerSuites(services, datasets.found);
  const drafter = new RunDrafter(engine, methods, models, datasets.found);
  const exported = new vscode.EventEmitter<void>();
  const corrections = new DatasetCorrections(runs, datasets.found, datasets.reading, { methods, engine });
  context.subscriptions.push(
    output,
    engine,
    runs,
    sessions,
    engine.onDidForget(() => sessions.endAll()),
    datasets,
    models,
    registerWalkthrough(context),
    registerRunsTree(runs, datasets.outdated, methods, context.workspaceState),
    registerModelsTree(models, runs, methods),
    registerRunPanel(services, { methods, models, datasets, drafter, clusters }),
    exported,
    registerDashboard(services, methods, clusters, suites.tests.onDidAnswer, exported.event),
    registerEvaluation({ ...services, runs }, datasets.found),
    registerExports({ ...services, runs, methods, models, onExported: () => exported.fire() }),
    registerRaceTabs(services, engine, clusters),
    registerPlayground(services, {
      methods,
      models,
      sessions,
      corrections,
    }),
    registerLanguageModels(services),
    suites,
    registerRunStatusBar(runs),
    registerRunContextKeys(runs),
    registerWindowClose(runs),
    registerDetachedRuns(runs, context, output),
    registerRunFileCodeLens(),
    registerFineTuneCommands(engine, runs, clusters, output, drafter, methods),
    registerRunCommands(runs, clusters, output),
    registerClusterCommands(clusters, output),
    registerResultCommands(engine, runs, output, methods),
    registerHubCommands(services, runs, methods),
    registerQuarantineCommand(engine, runs, output),
    registerEngineCommands(engine, output, context),
    registerMaintenanceCommands(engine, runs, output, context),
    registerServing(engine, runs, output),
  );
  const activation = { loadingMs, activationMs: ownMs() - began };
  output.info(`Loaded in ${loadingMs.toFixed(0)} ms, activated in ${activation.activationMs.toFixed(0)} ms`);
  return { ...services, corrections, suiteTests: suites.tests, activation };
}
