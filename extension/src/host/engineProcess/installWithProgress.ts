// Installs the training engine with a cancellable progress notification. Called by the engine service before the first
// run, and by the command.
import * as vscode from 'vscode';
import { bytes } from '../../core/units.js';
import type { EngineService } from '../services.js';
import { stepDone } from '../walkthrough.js';
import { showErrorMessage, withProgress } from '../window.js';

/** A line of `engine install --json`. */
type InstallLine =
  | {
      type: 'progress';
      phase: string;
      done: number;
      total: number | null;
      bytes_per_second?: number;
      message: string;
    }
  | { type: 'installed'; libraryVersion: string; folder: string }
  | { type: 'no_gpu'; message: string };

const PHASES: Record<string, string> = {
  wait: 'Waiting for another installation',
  download: 'Downloading TensorFlow',
  unpack: 'Unpacking TensorFlow',
  compile: 'Building the addon',
  check: 'Checking the installation',
};

/**
 * @param args further arguments of `engine install`, such as --gpu
 * @returns whether runs can be started (with the wasm backend if the user chose that after a failure)
 */
export async function installWithProgress(
  engine: EngineService,
  output: vscode.LogOutputChannel,
  args: readonly string[] = [],
): Promise<boolean> {
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
            return output.info(`TensorFlow ${line.libraryVersion} is in ${line.folder}`);
          }
          if (line.phase !== phase) output.info(`${PHASES[line.phase] ?? line.phase} ${line.message}`.trimEnd());
          phase = line.phase;
          const share = line.total ? Math.round((100 * line.done) / line.total) : null;
          const speed = line.bytes_per_second === undefined ? '' : `, ${bytes(line.bytes_per_second)}/s`;
          const size = line.total ? `: ${bytes(line.done)} of ${bytes(line.total)}${speed}` : '';
          const increment = share === null ? 0 : Math.max(0, share - reached);
          reached += increment;
          progress.report({ message: `${PHASES[phase] ?? phase}${size}`, increment });
        };
        await engine.jsonLines<InstallLine>(['engine', 'install', ...args], show, { token });
        if (refused !== null) throw new Error(refused);
      },
    );
    return true;
  } catch (error) {
    if (error instanceof vscode.CancellationError) return false;
    return offerWasm((error as Error).message, output);
  }
}

/** Offers the wasm backend, which needs no installation and takes about 8 times as long. */
async function offerWasm(reason: string, output: vscode.LogOutputChannel): Promise<boolean> {
  const without = 'Train Without It (Slower)';
  const show = 'Show Output';
  const answer = await showErrorMessage(
    `The training engine could not be installed: ${reason.split('\n')[0]}`,
    without,
    show,
  );
  if (answer === show) output.show();
  return answer === without;
}
