// Options for commands that compute without a run file: the keys of its engine block, with the same values and descriptions.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { engineConfigSchema, type EngineConfig, type WeightSettings } from '../../protocol/runConfig.js';

export interface EngineFlags {
  backend: EngineConfig['backend'];
  threads?: number;
}

export interface WeightFlags {
  baseWeights: WeightSettings['base_weights'];
  precision: WeightSettings['precision'];
}

export function withEngineOptions(command: Command): Command {
  return command
    .addOption(optionOf('backend'))
    .option('--threads <count>', 'CPU threads (default: all cores)', positiveNumber);
}

/** For commands that don't change the base weights. */
export function withWeightOptions(command: Command): Command {
  return command.addOption(optionOf('base_weights')).addOption(optionOf('precision'));
}

export function engineOf({ backend, threads }: EngineFlags): Pick<EngineConfig, 'backend' | 'threads'> {
  return { backend, threads: threads ?? null };
}

export function weightsOf({ baseWeights, precision }: WeightFlags): WeightSettings {
  return { base_weights: baseWeights, precision };
}

function optionOf(key: 'backend' | 'base_weights' | 'precision'): Option {
  const schema = engineConfigSchema.shape[key];
  return new Option(`--${key.replaceAll('_', '-')} <name>`, schema.meta()!.description)
    .choices(schema.unwrap().options)
    .default(schema.parse(undefined));
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number of at least 0');
  return value;
}

export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('must be at least 1');
  return value;
}

export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('must be a number');
  return value;
}

/** For commands that only inspect: the user may not want to download gigabytes for the answer. */
export function offlineOption(): Option {
  return new Option('--offline', 'fail if the model is not on this machine, instead of downloading it');
}
