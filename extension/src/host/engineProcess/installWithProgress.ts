// Installs the training engine with a cancellable progress notification. Called by the engine service before the first
// run, and by the command.
import * as vscode from 'vscode';
import { bytes } from '../../core/units.js';
import type { EngineConfig } from '../../protocol/engineConfig.js';
import type { EngineService } from '../services.js';
import { stepDone } from '../walkthrough.js';
import { showErrorMessage, tellBriefly, withProgress } from '../window.js';

type Library = 'tensorflow' | 'webgpu';

const NAMES: Record<Library, string> = { tensorflow: 'TensorFlow', webgpu: 'WebGPU' };

/** A line of `engine install --json`. */
type InstallLine =
  | {
      type: 'progress';
      phase: string;
      done: number;
      total: number | null;
      bytes_per_second?: number;
      library?: Library;
      message: string;
    }
  | { type: 'installed'; library: Library; instead?: string | null; libraryVersion: string; folder: string }
  | { type: 'no_gpu'; message: string };

type InstalledLine = Extract<InstallLine, { type: 'installed' }>;
type Backend = EngineConfig['backend'];

const PHASES: Record<string, string> = {
  wait: 'Waiting for another installation',
  download: 'Downloading',
  unpack: 'Unpacking',
  compile: 'Building the addon',
  check: 'Checking the installation',
};

/**
 * @param backend what is to be possible afterwards; for `auto`, WebGPU where TensorFlow can't be installed but there is a GPU
 * @param args further arguments of `engine install`, such as --gpu
 * @returns whether runs can be started (for `auto` with the wasm backend, if the user chose that after a failure)
 */
export async function installWithProgress(
  engine: EngineService,
  output: vscode.LogOutputChannel,
  backend: Backend,
  args: readonly string[] = [],
): Promise<boolean> {
  let installed: InstalledLine | null = null;
  try {
    await withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Installing the training engine', cancellable: true },
      async (progress, token) => {
        let reached = 0;
        let phase = '';
        let refused: string | null = null;
        const show = (line: InstallLine) => {
          if (line.type === 'no_gpu') return void (refused = line.message);
          if (line.type === 'installed') {
            stepDone('install');
            installed = line;
            return output.info(`${NAMES[line.library]} ${line.libraryVersion} is in ${line.folder}`);
          }
          const now = phaseText(line);
          if (now !== phase) output.info(`${now} ${line.message}`.trimEnd());
          if (now !== phase && line.phase === 'download') reached = 0;
          phase = now;
          const share = line.total ? Math.round((100 * line.done) / line.total) : null;
          const speed = line.bytes_per_second === undefined ? '' : `, ${bytes(line.bytes_per_second)}/s`;
          const size = line.total ? `: ${bytes(line.done)} of ${bytes(line.total)}${speed}` : '';
          const increment = share === null ? 0 : Math.max(0, share - reached);
          reached += increment;
          progress.report({ message: `${phase}${size}`, increment });
        };
        const flags = backend === 'webgpu' ? ['--webgpu', ...args] : args;
        await engine.jsonLines<InstallLine>(['engine', 'install', ...flags], show, { token });
        if (refused !== null) throw new Error(refused);
      },
    );
    return installed === null || isWanted(installed, backend, output);
  } catch (error) {
    if (error instanceof vscode.CancellationError) return false;
    return offerWasm((error as Error).message, backend, output);
  }
}

/** Says what was installed instead of what was asked for. */
async function isWanted(
  { library, instead }: InstalledLine,
  backend: Backend,
  output: vscode.LogOutputChannel,
): Promise<boolean> {
  if (!instead) return true;
  output.warn(instead);
  if (backend !== 'tensorflow') {
    tellBriefly('check', `${NAMES[library]} was installed, for this machine’s GPU: TensorFlow can’t be`);
    return true;
  }
  const show = 'Show Output';
  const message = `TensorFlow could not be installed, but ${NAMES[library]} was: set engine.backend to "${library}" or "auto". ${firstLine(instead)}`;
  if ((await showErrorMessage(message, show)) === show) output.show();
  return false;
}

/** Offers the wasm backend, which needs no installation and takes about 8 times as long, to runs that may use it. */
async function offerWasm(reason: string, backend: Backend, output: vscode.LogOutputChannel): Promise<boolean> {
  const without = 'Train Without It (Slower)';
  const show = 'Show Output';
  const what = backend === 'webgpu' ? 'WebGPU' : 'The training engine';
  const answer = await showErrorMessage(
    `${what} could not be installed: ${firstLine(reason)}`,
    ...(backend === 'auto' ? [without] : []),
    show,
  );
  if (answer === show) output.show();
  return answer === without;
}

const firstLine = (text: string) => text.split('\n')[0]!;

function phaseText({ phase, library = 'tensorflow' }: { phase: string; library?: Library }): string {
  const words = PHASES[phase] ?? phase;
  return phase === 'download' || phase === 'unpack' ? `${words} ${NAMES[library]}` : words;
}
