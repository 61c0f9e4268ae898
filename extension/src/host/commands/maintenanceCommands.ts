// Clean Up..., which deletes what the user picks of what `tunewright clean` lists, and Report a Problem, which shows a text before it is
// copied. Nothing is sent.
import { existsSync } from 'node:fs';
import { arch, homedir, hostname, platform, release, userInfo } from 'node:os';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { problemReport } from '../../core/problemReport.js';
import { block } from '../../core/runs/runFileKeys.js';
import { bytes } from '../../core/units.js';
import { readLastLines, runFolderFiles } from '../runs/runFolderFiles.js';
import { runsFolders } from '../runs/runsFolders.js';
import type { CommandLineEngine } from '../engineProcess/engineService.js';
import { CLEANED, type CleanAnswer } from '../../protocol/cleanAnswer.js';
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import type { EngineService, Run, RunService } from '../services.js';
import { showInformationMessage, showQuickPick, showWarningMessage, tellBriefly, withProgress } from '../window.js';
import { registerGuarded } from './guarded.js';
import { textOf } from '../../core/forms/formField.js';

const LOG_LINES = 200;

export function registerMaintenanceCommands(
  engine: CommandLineEngine,
  runs: RunService,
  output: vscode.LogOutputChannel,
  context: vscode.ExtensionContext,
): vscode.Disposable {
  return vscode.Disposable.from(
    registerGuarded(output, 'tunewright.cleanUp', () => cleanUp(engine, context)),
    registerGuarded(output, 'tunewright.reportProblem', () => report(engine, runs, context)),
  );
}

async function cleanUp(engine: CommandLineEngine, context: vscode.ExtensionContext): Promise<void> {
  const folders = runsFolders(context).filter(existsSync);
  const args = ['clean', ...CLEANED, ...(folders.length > 0 ? ['--runs', ...folders] : [])];
  const { items } = await withProgress(
    { location: vscode.ProgressLocation.Window, title: 'Looking for what can be deleted' },
    () => engine.json<CleanAnswer>([...args, '--dry-run']),
  );
  if (items.length === 0) return tellBriefly('info', 'There is nothing to delete');
  const picked = await showQuickPick(
    items.map(item => ({
      label: basename(item.path),
      description: bytes(item.bytes),
      detail: `${item.about}: ${item.path}`,
      item,
    })),
    { title: 'Clean Up', placeHolder: 'What to delete', canPickMany: true },
  );
  if (!picked?.length) return;
  const paths = picked.map(({ item }) => item.path);
  const chosen = [...args, '--only', ...paths];
  const { bytes: total } = await engine.json<CleanAnswer>([...chosen, '--dry-run']);
  const answer = await showWarningMessage(
    `Delete ${bytes(total)}? This can’t be undone.`,
    {
      modal: true,
      detail: paths.slice(0, 20).join('\n') + (paths.length > 20 ? `\nand ${paths.length - 20} more` : ''),
    },
    'Delete',
  );
  if (answer !== 'Delete') return;
  await withProgress({ location: vscode.ProgressLocation.Notification, title: 'Deleting' }, () =>
    engine.json<CleanAnswer>([...chosen, '--yes']),
  );
  engine.forget();
  await vscode.commands.executeCommand('tunewright.refreshModels');
}

async function report(engine: EngineService, runs: RunService, context: vscode.ExtensionContext): Promise<void> {
  const [latest] = runs.runs();
  const text = problemReport({
    versions: [
      ['Extension', String(context.extension.packageJSON.version)],
      ['Editor', `${vscode.version}, ${vscode.env.uiKind === vscode.UIKind.Web ? 'in a browser' : 'on the desktop'}`],
      ['System', `${platform()} ${release()} ${arch()}, Node ${process.versions.node}`],
      ...(await engineFacts(engine)),
    ],
    run: latest ? runFacts(latest) : [],
    log: latest ? readLastLines(runFolderFiles(latest.folder).log, LOG_LINES) : [],
    names: namesHere(runs),
  });
  const document = await vscode.workspace.openTextDocument({ content: text, language: 'markdown' });
  await vscode.window.showTextDocument(document);
  const answer = await showInformationMessage(
    'Nothing is sent. Read the report, change what you like, and copy it to where you report the problem.',
    'Copy',
  );
  if (answer === 'Copy') await vscode.env.clipboard.writeText(document.getText());
}

async function engineFacts(engine: EngineService): Promise<[string, string][]> {
  try {
    const { installation, backend, machine } = await engine.json<EngineStatusAnswer>(['engine', 'status']);
    return [
      ['Engine', installation ? `TensorFlow ${installation.libraryVersion} (${installation.source})` : 'not installed'],
      ['Backend', `${backend.name} ${backend.libraryVersion}`],
      ['Machine', `${machine.cores} cores, ${bytes(machine.memoryBytes)}, ${bytes(machine.availableMemoryBytes)} free`],
    ];
  } catch (error) {
    return [['Engine', `does not answer: ${(error as Error).message.split('\n')[0]}`]];
  }
}

/** Kinds and figures of a run. */
function runFacts(run: Run): [string, string][] {
  const { status, failed } = run.glance();
  const config = run.config as Record<string, unknown>;
  const settings = Object.entries(block(config, 'engine')).map(
    ([key, value]) => `${key} ${value === null ? 'null' : textOf(value)}`,
  );
  const failure = run.failure();
  return [
    ['Method', textOf(block(config, 'method')['peft_type'])],
    ['Engine settings', settings.join(', ') || 'none'],
    ['Status', failed ? `${status} (${failed.code})` : status],
    ...(failure ? [['Failure', failure.message] as [string, string]] : []),
  ];
}

/** What a report must not have. */
function namesHere(runs: RunService): string[] {
  const folders = (vscode.workspace.workspaceFolders ?? []).flatMap(({ uri, name }) => [uri.fsPath, name]);
  const ofRuns = runs.runs().flatMap(({ folder, name, config }) => {
    const { model, dataset } = config as { model?: unknown; dataset?: { train?: unknown } };
    return [folder, basename(folder), name, model, dataset?.train].filter(each => typeof each === 'string');
  });
  return [homedir(), userInfo().username, hostname(), ...folders, ...ofRuns];
}
