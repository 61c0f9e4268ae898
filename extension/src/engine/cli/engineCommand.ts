// `tunewright engine install|status|speed|bench`: options, progress and text. Registered by program.ts; the work is done in install/,
// backend/ and estimate/.
import { Option, type Command } from 'commander';
import { CancelledError } from '../../core/codedError.js';
import { bytes, figure } from '../../core/units.js';
import { installBackend, type Installed } from '../backend/installBackend.js';
import { engineStatus, type EngineStatus } from '../backend/engineStatus.js';
import type { EngineInstallation } from '../install/installation.js';
import { machineSpeed, type MachineSpeed } from '../estimate/machineSpeed.js';
import type { GpuAdapter } from '../../protocol/engineStatus.js';
import { findNvidiaGpus } from '../machine/machine.js';
import type { InstallProgress } from '../install/progress.js';
import { registerBenchCommand } from './benchCommand.js';
import { threadCount } from './engineOptions.js';
import { interruptible } from './failure.js';
import { printAnswer, printJson, printNote, progressBar } from './print.js';

interface InstallArguments {
  gpu?: boolean;
  webgpu?: boolean;
  library?: string;
  force?: boolean;
  json?: boolean;
}

export function registerEngineCommand(program: Command): void {
  const engine = program.command('engine').description('install and check the libraries that the engine computes with');
  engine
    .command('install')
    .description(
      'download TensorFlow (274 MB) into your cache folder and build its addon; where that is impossible but there is a GPU, WebGPU',
    )
    .option('--gpu', 'the library for NVIDIA GPUs, with its CUDA packages')
    .addOption(
      new Option('--webgpu', 'WebGPU for GPUs of all makers: Dawn (51 MB), without TensorFlow').conflicts([
        'gpu',
        'library',
      ]),
    )
    .option('--library <path>', 'use a local TensorFlow library, its folder, or a wheel')
    .option('--force', 'reinstall; with --gpu, install even if no GPU is found')
    .option('--json', 'print progress and result, one JSON object per line')
    .action(install);
  engine
    .command('status')
    .description('show libraries, versions, the device in use, and all GPUs that WebGPU can use')
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
  registerBenchCommand(engine);
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
      const installed = await installBackend({
        ...options,
        prebuiltAddons: process.env.TUNEWRIGHT_PREBUILT_ADDONS,
        signal,
        onProgress: progress.report,
      }).finally(progress.end);
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      printAnswer({ type: 'installed', ...installed }, json, () => `${describeInstalled(installed)} (${seconds} s)`);
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

function describeInstalled(installed: Installed): string {
  if (installed.library === 'tensorflow') return describeInstallation(installed);
  const { libraryVersion, folder, instead } = installed;
  return `${instead === null ? '' : `${instead}\n\nInstead, for this machine’s GPU: `}WebGPU (Dawn) ${libraryVersion} in ${folder}`;
}

function describeInstallation({ libraryVersion, gpu, source, origin, folder }: EngineInstallation): string {
  return `TensorFlow ${libraryVersion}${gpu ? ' for GPUs' : ''} from ${source} (${origin}) in ${folder}`;
}

export function describeStatus({
  installation,
  webgpu,
  backend,
  tfjsNodeVersion,
  machine,
  advice,
}: EngineStatus): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const rows = [
    ['Installed', installation === null ? 'no' : describeInstallation(installation)],
    ['Backend', `${backend.name} ${backend.libraryVersion}, tfjs-node ${tfjsNodeVersion}`],
    ['Device', `${backend.device}, ${backend.threads} ${backend.threads === 1 ? 'thread' : 'threads'}`],
    ['CPU', [machine.platform, machine.cpu, `${machine.cores} cores`, machine.cpuFeatures.join(' ')].join(', ')],
    ['Memory', `${gigabytes(machine.memoryBytes)}, ${gigabytes(machine.availableMemoryBytes)} available`],
    ['CUDA', machine.gpus.join('; ') || 'no NVIDIA GPU found'],
    ['WebGPU', describeWebgpu(webgpu)],
  ];
  return [...rows.map(([name, value]) => `${name.padEnd(10)} ${value}`), ...advice.map(line => `\n${line}`)].join('\n');
}

function describeWebgpu({ libraryVersion, adapters, problem }: EngineStatus['webgpu']): string {
  if (libraryVersion === null) return 'not installed';
  const listed = problem ?? (adapters.length === 0 ? 'finds no GPU with a driver' : '');
  return [`Dawn ${libraryVersion} ${listed}`.trim(), ...adapters.map(describeAdapter)].join('\n');
}

function describeAdapter({ index, name, backend, type, driver, limits, features }: GpuAdapter): string {
  const { maxBufferSize, maxComputeWorkgroupStorageSize: shared, maxComputeInvocationsPerWorkgroup: group } = limits;
  const details = [
    `${backend}, ${driver || 'unnamed driver'}`,
    `buffers up to ${bytes(maxBufferSize!)}, workgroups of ${group} with ${bytes(shared!)}`,
    features.join(' ') || 'no optional features',
  ];
  const software = type === 'software' ? ' (software: computes on the CPU, for tests)' : '';
  return [`  ${index}: ${name}${software}`, ...details.map(line => `     ${line}`)].join('\n');
}

function describeSpeed({ machine, flopsPerSecond, bytesPerSecond }: MachineSpeed): string {
  return `${figure(flopsPerSecond / 1e9)} GFLOP/s in matrix products, ${figure(bytesPerSecond / 1e9)} GB/s written\n${machine}`;
}
