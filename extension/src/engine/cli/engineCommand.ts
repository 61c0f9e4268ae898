// `tunewright engine install|status|speed`: options, progress and text. Registered by program.ts; the work is done in install/,
// backend/ and estimate/.
import type { Command } from 'commander';
import { CancelledError } from '../../core/codedError.js';
import { bytes, figure } from '../../core/units.js';
import { engineStatus, type EngineStatus } from '../backend/engineStatus.js';
import type { EngineInstallation } from '../install/installation.js';
import { machineSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import { installEngine } from '../install/installEngine.js';
import { findNvidiaGpus } from '../machine/machine.js';
import type { InstallProgress } from '../install/progress.js';
import { threadCount } from './engineOptions.js';
import { interruptible } from './failure.js';
import { printAnswer, printJson, printNote, progressBar } from './print.js';

interface InstallArguments {
  gpu?: boolean;
  library?: string;
  force?: boolean;
  json?: boolean;
}

export function registerEngineCommand(program: Command): void {
  const engine = program.command('engine').description('install and check the TensorFlow library that the engine uses');
  engine
    .command('install')
    .description('download TensorFlow (274 MB) into your cache folder and build its addon')
    .option('--gpu', 'the library for NVIDIA GPUs, with its CUDA packages')
    .option('--library <path>', 'use a local TensorFlow library, its folder, or a wheel')
    .option('--force', 'reinstall; with --gpu, install even if no GPU is found')
    .option('--json', 'print progress and result, one JSON object per line')
    .action(install);
  engine
    .command('status')
    .description('show library, version, device, CPU features and threads in use')
    .option('--json', 'print one JSON object')
    .action(async ({ json }: { json?: boolean }) => {
      printAnswer(await engineStatus(), json, describeStatus);
    });
  engine
    .command('speed')
    .description('measure the speed of TensorFlow on this machine, once; used for estimates')
    .option('--threads <count>', 'CPU threads (default: all cores)', threadCount)
    .option('--json', 'print one JSON object')
    .action(async ({ threads, json }: { threads?: number; json?: boolean }) => {
      printAnswer(await machineSpeed(threads ?? null), json, describeSpeed);
    });
}

async function install({ json, ...options }: InstallArguments): Promise<void> {
  if (options.gpu && !options.force && (await findNvidiaGpus()).length === 0) {
    const message = 'No NVIDIA GPU was found on this machine, so nothing was installed. Use --force to install anyway.';
    return printAnswer({ type: 'no_gpu', message }, json, () => message);
  }
  const started = Date.now();
  const progress = json ? jsonProgress() : process.stderr.isTTY ? barProgress() : lineProgress();
  await interruptible(async signal => {
    try {
      const installation = await installEngine({
        ...options,
        prebuiltAddons: process.env.TUNEWRIGHT_PREBUILT_ADDONS,
        signal,
        onProgress: progress.report,
      }).finally(progress.end);
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      const text = () => `${describeInstallation(installation)} (${seconds} s)`;
      printAnswer({ type: 'installed', ...installation }, json, text);
    } catch (error) {
      throw signal.aborted ? new CancelledError('Stopped; nothing was installed.') : error;
    }
  });
}

interface ProgressView {
  report: (progress: InstallProgress) => void;
  end: () => void;
}

function jsonProgress(): ProgressView {
  return { report: progress => printJson({ type: 'progress', ...progress }), end: () => {} };
}

function barProgress(): ProgressView {
  const bar = progressBar('{phase} {bar} {size}  {message}');
  bar.start(1, 0, { phase: 'start   ', size: '', message: '' });
  return {
    report: progress => {
      const { phase, done, total, message } = progress;
      bar.setTotal(total ?? 1);
      bar.update(total === null ? 0 : done, { phase: phase.padEnd(8), size: describeSize(progress), message });
    },
    end: () => bar.stop(),
  };
}

/** A line at the beginning of a phase and after each fifth of it. */
function lineProgress(): ProgressView {
  let last = '';
  return {
    report: progress => {
      const { phase, done, total, message } = progress;
      const key = `${phase} ${message} ${total ? Math.floor((5 * done) / total) : 0}`;
      if (key === last) return;
      last = key;
      printNote(`${phase.padEnd(8)} ${message} ${describeSize(progress)}`.trimEnd());
    },
    end: () => {},
  };
}

function describeSize({ done, total, bytes_per_second: speed }: InstallProgress): string {
  if (done === 0 && total === null) return '';
  const megabytes = (size: number) => Math.round(size / 1e6);
  const size = total === null ? `${megabytes(done)} MB` : `${megabytes(done)}/${megabytes(total)} MB`;
  return speed === undefined ? size : `${size}, ${bytes(speed)}/s`;
}

function describeInstallation({ libraryVersion, gpu, source, origin, folder }: EngineInstallation): string {
  return `TensorFlow ${libraryVersion}${gpu ? ' for GPUs' : ''} from ${source} (${origin}) in ${folder}`;
}

export function describeStatus({ installation, backend, tfjsNodeVersion, machine, advice }: EngineStatus): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const rows = [
    ['Installed', installation === null ? 'no' : describeInstallation(installation)],
    ['Backend', `${backend.name} ${backend.libraryVersion}, tfjs-node ${tfjsNodeVersion}`],
    ['Device', `${backend.device}, ${backend.threads} ${backend.threads === 1 ? 'thread' : 'threads'}`],
    ['CPU', [machine.platform, machine.cpu, `${machine.cores} cores`, machine.cpuFeatures.join(' ')].join(', ')],
    ['Memory', `${gigabytes(machine.memoryBytes)}, ${gigabytes(machine.availableMemoryBytes)} available`],
    ['GPU', machine.gpus.join('; ') || 'no NVIDIA GPU found'],
  ];
  return [...rows.map(([name, value]) => `${name.padEnd(10)} ${value}`), ...advice.map(line => `\n${line}`)].join('\n');
}

function describeSpeed({ machine, flopsPerSecond, bytesPerSecond }: MachineSpeed): string {
  return `${figure(flopsPerSecond / 1e9)} GFLOP/s in matrix products, ${figure(bytesPerSecond / 1e9)} GB/s written\n${machine}`;
}
