// The hardware: CPU and its vector instructions, cores, memory, NVIDIA GPUs. Called by `engine status` and `engine install --gpu`.
// Does not report how much of it TensorFlow uses.
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { availableMemoryBytes } from './processMemory.js';
import { findExecutable, runCommand } from './runCommand.js';

export interface Machine {
  /** process.platform and process.arch, such as linux-x64. */
  platform: string;
  cpu: string;
  /** Cores that this process may use. */
  cores: number;
  /** Vector instructions that matter for matrix products; empty if the system doesn't list them. */
  cpuFeatures: string[];
  memoryBytes: number;
  availableMemoryBytes: number;
  /** A line for each NVIDIA GPU. */
  gpus: string[];
}

/** Linux's names -> common names. */
const CPU_FEATURES: Record<string, string> = {
  avx2: 'AVX2',
  fma: 'FMA',
  avx512f: 'AVX512F',
  avx512_vnni: 'AVX512_VNNI',
  avx512_bf16: 'AVX512_BF16',
  amx_tile: 'AMX',
  asimd: 'NEON',
  sve: 'SVE',
};

/** Instructions that multiply bfloat16. */
export const BFLOAT16_FEATURES: readonly string[] = ['AVX512_BF16', 'AMX'];

export async function inspectMachine(): Promise<Machine> {
  return {
    platform: `${process.platform}-${process.arch}`,
    cpu: cpuModel(),
    cores: availableParallelism(),
    cpuFeatures: cpuFeatures(),
    memoryBytes: totalmem(),
    availableMemoryBytes: availableMemoryBytes(),
    gpus: await findNvidiaGpus(),
  };
}

/** The supported ones of `CPU_FEATURES`; empty if the system doesn't list them. */
export function cpuFeatures(): string[] {
  return parseCpuFeatures(readCpuinfo());
}

export function cpuModel(): string {
  return cpus()[0]?.model.trim() || 'unknown CPU';
}

/**
 * The CPU for benchmark results: `AMD EPYC (family 25, model 17; AVX2, FMA, AVX512F)`. The name alone is not enough, since
 * manufacturers use it for many kinds of CPUs.
 */
export function cpuKind(cpuinfo = readCpuinfo()): string {
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(\\d+)$`, 'm').exec(cpuinfo)?.[1];
  const [family, model] = [field('cpu family'), field('model')];
  const kind = family && model ? `family ${family}, model ${model}` : null;
  const details = [kind, parseCpuFeatures(cpuinfo).join(', ') || null].filter(detail => detail !== null).join('; ');
  return details ? `${cpuModel()} (${details})` : cpuModel();
}

/** Empty on systems without this file. */
function readCpuinfo(): string {
  return existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
}

/** Known features of the first core, in the order of CPU_FEATURES. */
export function parseCpuFeatures(cpuinfo: string): string[] {
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(' '));
  return Object.keys(CPU_FEATURES)
    .filter(flag => flags.has(flag))
    .map(flag => CPU_FEATURES[flag]);
}

/** Whether there may be a GPU of any maker, as far as the system's files say. Only a driver knows. */
export function mayHaveGpu(): boolean {
  if (process.platform !== 'linux') return ['darwin', 'win32'].includes(process.platform);
  return existsSync('/dev/dri') || existsSync('/dev/nvidia0');
}

/** By nvidia-smi, else by the driver's device files. */
export async function findNvidiaGpus(): Promise<string[]> {
  const nvidiaSmi = findExecutable('nvidia-smi');
  const listed = nvidiaSmi && (await runCommand(nvidiaSmi, ['-L']).catch(() => ''));
  if (listed) return listed.split('\n').filter(line => line.startsWith('GPU '));
  return existsSync('/dev/nvidia0') ? ['NVIDIA GPU (/dev/nvidia0)'] : [];
}
