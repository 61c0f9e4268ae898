// The `engine` block of a run file. A file of its own, because conversations have the same settings.
import * as z from 'zod';
import { about } from './about.js';

/** TensorFlow makes them all when it is loaded, and ends the process with a fault if the machine has no room for them. */
export const threadsSchema = z.int().positive().max(1024);

export const engineConfigSchema = z.strictObject({
  backend: z
    .enum(['auto', 'tensorflow', 'webgpu', 'wasm'])
    .default('auto')
    .meta(about('Backend', 'auto: tensorflow if installed, else webgpu on a GPU that isn’t software, else wasm')),
  adapter: z
    .union([z.int().nonnegative(), z.string().min(1)])
    .nullable()
    .default(null)
    .meta(
      about('Adapter', 'Which GPU webgpu uses: its name, a part of it, or its index in engine status; null: the first'),
    ),
  compile: z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .meta(about('Compile', 'Capture the training step as one TensorFlow graph')),
  threads: threadsSchema.nullable().default(null).meta(about('Threads', 'CPU threads; null: all cores')),
  base_weights: z
    .enum(['float32', 'bfloat16', 'int8', 'int4'])
    .default('float32')
    .meta(
      about(
        'Base weights',
        'How the frozen weights are stored in memory: bfloat16 takes half of float32, int8 a quarter, int4 an eighth; GGUF’s Q8_0, Q4_0 and Q4_1 are kept unchanged',
      ),
    ),
  precision: z
    .enum(['float32', 'bfloat16', 'auto'])
    .default('float32')
    .meta(
      about(
        'Precision',
        'Precision of products with frozen weights: bfloat16 rounds both factors, like autocast, and is faster on CPUs with AVX512_BF16 or AMX; on others the run warns and uses float32. auto: bfloat16 if it is faster in a measurement on this machine',
      ),
    ),
});

export type EngineConfig = z.infer<typeof engineConfigSchema>;
export type BaseWeights = EngineConfig['base_weights'];
/** What computes. */
export type DeviceSettings = Pick<EngineConfig, 'backend' | 'threads'> & Partial<Pick<EngineConfig, 'adapter'>>;
/** How the base weights are stored and multiplied. */
export type WeightSettings = Pick<EngineConfig, 'base_weights' | 'precision'>;
/** The same with `auto` resolved for a machine. */
export type UsedWeights = WeightSettings & { precision: Exclude<EngineConfig['precision'], 'auto'> };
