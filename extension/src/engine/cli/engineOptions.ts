// Options for commands that compute without a run file: the keys of its engine block, with the same values and descriptions.
// Also the values that numeric options of all commands take.
import { InvalidArgumentError, Option, type Command } from 'commander';
import * as z from 'zod';
import { expected } from '../../core/forms/formField.js';
import { inputJsonSchema } from '../../core/forms/zodSchema.js';
import {
  engineConfigSchema,
  threadsSchema,
  type DeviceSettings,
  type WeightSettings,
} from '../../protocol/engineConfig.js';

export interface EngineFlags {
  backend: DeviceSettings['backend'];
  gpuAdapter?: string | number;
  threads?: number;
}

export interface WeightFlags {
  baseWeights: WeightSettings['base_weights'];
  precision: WeightSettings['precision'];
}

export function withEngineOptions(command: Command): Command {
  return command
    .addOption(optionOf('backend'))
    .option('--gpu-adapter <name or index>', engineConfigSchema.shape.adapter.meta()!.description!, gpuAdapter)
    .option('--threads <count>', 'CPU threads (default: all cores)', threadCount);
}

/** For commands that don't change the base weights. */
export function withWeightOptions(command: Command): Command {
  return command.addOption(optionOf('base_weights')).addOption(optionOf('precision'));
}

export function engineOf({ backend, gpuAdapter, threads }: EngineFlags): Required<DeviceSettings> {
  return { backend, adapter: gpuAdapter ?? null, threads: threads ?? null };
}

export function weightsOf({ baseWeights, precision }: WeightFlags): WeightSettings {
  return { base_weights: baseWeights, precision };
}

function optionOf(key: 'backend' | 'base_weights' | 'precision'): Option {
  const schema = engineConfigSchema.shape[key];
  // A cluster only trains.
  const choices = schema.unwrap().options.filter(choice => choice !== 'ray');
  return new Option(`--${key.replaceAll('_', '-')} <name>`, schema.meta()!.description)
    .choices(choices)
    .default(schema.parse(undefined));
}

/** Digits are an index. @throws InvalidArgumentError that says what is allowed */
function gpuAdapter(text: string): string | number {
  const name = text.trim();
  if (name === '') throw new InvalidArgumentError('must be a name, a part of one, or an index');
  return /^\d+$/.test(name) ? Number(name) : name;
}

/** Parsers of numeric options. @throws InvalidArgumentError that says what is allowed */
export const wholeNumber = numberOf(z.int().nonnegative());
export const positiveNumber = numberOf(z.int().positive());
export const threadCount = numberOf(threadsSchema);
export const nonNegativeNumber = numberOf(z.number().nonnegative());
export const portNumber = numberOf(z.int().min(0).max(65535));
export const probability = numberOf(z.number().positive().max(1));
export const share = numberOf(z.number().min(0).max(1));

function numberOf(schema: z.ZodType<number>): (text: string) => number {
  return text => {
    const parsed = schema.safeParse(text.trim() === '' ? NaN : Number(text));
    if (!parsed.success) throw new InvalidArgumentError(`must be ${expected(inputJsonSchema(schema))}`);
    return parsed.data;
  };
}

/** For commands that only inspect: the user may not want to download gigabytes for the answer. */
export function offlineOption(): Option {
  return new Option('--offline', 'fail if the model is not on this machine, instead of downloading it');
}
