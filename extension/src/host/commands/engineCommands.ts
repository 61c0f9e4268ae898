// Commands for the engine and its models: install, pull, copy and reveal, open the settings, the output and the
// walkthrough.
import * as vscode from 'vscode';
import { bytes } from '../../core/units.js';
import { deviceText } from '../../core/deviceText.js';
import type { CommandLineEngine } from '../engineProcess/engineService.js';
import { installWithProgress } from '../engineProcess/installWithProgress.js';
import type { EngineStatusAnswer } from '../../protocol/engineStatus.js';
import type { EngineService } from '../services.js';
import type { ModelElement } from '../views/modelsTree.js';
import { registerGuarded } from './guarded.js';
import { reveal } from './reveal.js';
import { askModelId } from './runDraft.js';
import { stepDone } from '../walkthrough.js';
import { showQuickPick, withProgress, type PickItem } from '../window.js';

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
  for (const line of status.advice) output.info(line);
  if (status.installation) stepDone('install');
  const choices = installations(status);
  const isOnly = choices.length === 1;
  const chosen = isOnly ? choices[0] : await showQuickPick(choices, { title: titleOf(status) });
  if (!chosen?.backend || !(await installWithProgress(engine, output, chosen.backend, chosen.args))) return;
  engine.forget();
}

interface Installation extends PickItem {
  /** Null: nothing is installed. */
  backend: 'auto' | 'webgpu' | null;
  /** Of `engine install`. */
  args: string[];
}

/** What can be done here, the best first. */
export function installations({ installation, backend, machine, webgpu }: EngineStatusAnswer): Installation[] {
  const choices: Installation[] = [];
  const offer = (label: string, detail: string, to: Pick<Installation, 'backend' | 'args'>) =>
    choices.push({ icon: to.backend === null ? 'check' : 'desktop-download', label, detail, ...to });
  if (installation)
    offer('Keep', `${deviceText({ ...backend, backend: backend.name })} is used`, { backend: null, args: [] });
  else offer('Install TensorFlow', 'Trains on the CPU: 274 MB', { backend: 'auto', args: [] });
  if (webgpu.libraryVersion === null && webgpu.possible)
    offer('Install WebGPU', 'Trains on GPUs of all makers: 51 MB', { backend: 'webgpu', args: [] });
  if (machine.gpus.length > 0 && !installation?.gpu)
    offer('Install TensorFlow for NVIDIA GPUs', 'With its CUDA packages: 8 GB', { backend: 'auto', args: ['--gpu'] });
  if (installation)
    offer('Reinstall TensorFlow', 'Downloads it again and replaces the installed files', {
      ...{ backend: 'auto', args: ['--force', ...(installation.gpu ? ['--gpu'] : [])] },
    });
  return choices;
}

function titleOf({ installation }: EngineStatusAnswer): string {
  return installation ? `TensorFlow ${installation.libraryVersion} is installed` : 'Install the Training Engine';
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
