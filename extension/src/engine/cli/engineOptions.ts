// Options of the commands that compute without a run file.
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { EngineConfig } from '../../protocol/runConfig.js';

export interface EngineFlags {
  backend: EngineConfig['backend'];
  threads?: number;
}

export function withEngineOptions(command: Command): Command {
  return command
    .addOption(new Option('--backend <name>', 'what computes').choices(['auto', 'tensorflow', 'wasm']).default('auto'))
    .option('--threads <count>', 'CPU threads (default: every core)', positiveNumber);
}

export function engineOf({ backend, threads }: EngineFlags): Pick<EngineConfig, 'backend' | 'threads'> {
  return { backend, threads: threads ?? null };
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is needed');
  return value;
}

export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('1 or more is needed');
  return value;
}

export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('a number is needed');
  return value;
}

/** Of commands that only tell: whoever asks may not want gigabytes fetched for the answer. */
export function offlineOption(): Option {
  return new Option('--offline', 'fail where the model is not on this machine, rather than fetch it');
}
