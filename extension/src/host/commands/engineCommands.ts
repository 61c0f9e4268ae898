// Commands for the engine and its models: install, pull, copy and reveal, open the settings, the output and the
// walkthrough.
import * as vscode from 'vscode';
import { bytes } from '../../core/units.js';
import type { CommandLineEngine } from '../engineProcess/engineService.js';
import { installWithProgress } from '../engineProcess/installWithProgress.js';
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import type { EngineService } from '../services.js';
import type { ModelElement } from '../views/modelsTree.js';
import { registerGuarded } from './guarded.js';
import { reveal } from './reveal.js';
import { askModelId } from './runDraft.js';
import { stepDone } from '../walkthrough.js';
import { showQuickPick, withProgress } from '../window.js';

/** A line of `models pull --json`. */
type PullLine =
  { type: 'progress'; file: string; bytes: number; totalBytes: number } | { type: 'pulled'; id: string; path: string };

export function registerEngineCommands(
  engine: CommandLineEngine,
  output: vscode.LogOutputChannel,
  context: vscode.ExtensionContext,
): vscode.Disposable {
  return vscode.Disposable.from(
    registerGuarded(output, 'tunewright.installEngine', () => install(engine, output)),
    registerGuarded(output, 'tunewright.pullModel', element => pull(engine, element)),
    registerGuarded(output, 'tunewright.showOutput', () => output.show()),
    registerGuarded(output, 'tunewright.copyModelId', element =>
      vscode.env.clipboard.writeText((element as ModelElement).id),
    ),
    registerGuarded(output, 'tunewright.copyAdapterPath', element =>
      vscode.env.clipboard.writeText((element as { path: string }).path),
    ),
    registerGuarded(output, 'tunewright.revealModel', element => reveal((element as { path: string }).path)),
    registerGuarded(output, 'tunewright.revealAdapter', element => reveal((element as { path: string }).path)),
    registerGuarded(output, 'tunewright.openSettings', () =>
      vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
    ),
    registerGuarded(output, 'tunewright.openWalkthrough', () =>
      vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#start`, false),
    ),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('tunewright.nodePath')) engine.forget();
    }),
  );
}

async function install(engine: CommandLineEngine, output: vscode.LogOutputChannel): Promise<void> {
  const status = await withProgress(
    { location: vscode.ProgressLocation.Window, title: 'Checking the training engine' },
    () => engine.json<EngineStatusAnswer>(['engine', 'status']),
  );
  const { installation, backend, machine, advice } = status;
  for (const line of advice) output.info(line);
  if (installation) stepDone('install');
  const wantsGpu = machine.gpus.length > 0 && !installation?.gpu;
  if (installation && !wantsGpu) {
    const keep = { icon: 'check', label: 'Keep', detail: `${backend.device}, ${backend.threads} threads` };
    const again = {
      icon: 'desktop-download',
      label: 'Reinstall',
      detail: 'Downloads it again and replaces the installed files',
    };
    const title = `TensorFlow ${installation.libraryVersion} is installed`;
    const answer = await showQuickPick([keep, again], { title });
    if (answer === again) await installWithProgress(engine, output, ['--force']);
    return;
  }
  if (!(await installWithProgress(engine, output, wantsGpu ? ['--gpu'] : []))) return;
  engine.forget();
  await engine.ensureInstalled();
}

async function pull(engine: EngineService, element: unknown): Promise<string | undefined> {
  const id = typeof element === 'string' ? element : await askModelId();
  if (!id?.trim()) return undefined;
  let path: string | undefined;
  await withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Pulling ${id}`, cancellable: true },
    async (progress, token) => {
      let reached = 0;
      const show = (line: PullLine) => {
        if (line.type === 'pulled') return void (path = line.path);
        const share = Math.round((100 * line.bytes) / Math.max(1, line.totalBytes));
        const increment = Math.max(0, share - reached);
        reached += increment;
        progress.report({ message: `${line.file}, ${bytes(line.bytes)} of ${bytes(line.totalBytes)}`, increment });
      };
      await engine.jsonLines<PullLine>(['models', 'pull', id.trim()], show, { token });
    },
  );
  await vscode.commands.executeCommand('tunewright.refreshModels');
  return path;
}
