// The `engine` block of a run file. A file of its own, because conversations have the same settings.
import * as z from 'zod';
import { about } from './about.js';

/** TensorFlow makes them all when it is loaded, and ends the process with a fault if the machine has no room for them. */
export const threadsSchema = z.int().positive().max(1024);

/** Backends of this machine. */
export const LOCAL_BACKENDS = ['auto', 'tensorflow', 'webgpu', 'wasm'] as const;
export type LocalBackend = (typeof LOCAL_BACKENDS)[number];

/** The schemes of a Ray dashboard's address, without a login or a query. */
const ADDRESS = /^https?:\/\/[^\s@?#]+$/;

/** Where and how a run is trained on a Ray cluster; the other backends don't read it. */
const clusterShape = {
  address: z
    .string()
    .regex(ADDRESS, {
      error: 'Expected the address of a dashboard, such as http://head:8265, without a login in it',
      abort: true,
    })
    .refine(address => URL.canParse(address), 'this is not an address: check its host and port')
    .nullable()
    .default(null)
    .meta(about('Ray address', 'With ray: address of the cluster’s dashboard, such as http://head:8265')),
  num_workers: z
    .int()
    .positive()
    .max(4096)
    .default(1)
    .meta(about('Ray workers', 'With ray: processes that share each batch of the run')),
  use_gpu: z.boolean().default(false).meta(about('Ray GPUs', 'With ray: a GPU for each worker')),
  storage_path: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(
      about(
        'Ray storage path',
        'With ray: folder of a shared disk, or address of an object store such as s3://bucket/runs, where the cluster keeps checkpoints; null: they only come back to this machine',
      ),
    ),
  strategy: z
    .enum(['auto', 'ddp', 'fsdp'])
    .default('auto')
    .meta(
      about(
        'Ray strategy',
        'With ray: ddp holds the model in each worker, fsdp a part of it; auto: fsdp if the model doesn’t fit a worker',
      ),
    ),
  runtime_env: z
    .record(z.string(), z.unknown())
    .nullable()
    .default(null)
    .meta(
      about(
        'Ray runtime environment',
        'With ray: what the job’s Python needs, as in Ray’s runtime_env; null: the versions of Transformers and PEFT that Tunewright is tested with',
      ),
    ),
};

export const engineConfigSchema = z.strictObject({
  backend: z
    .enum([...LOCAL_BACKENDS, 'ray'])
    .default('auto')
    .meta(
      about(
        'Backend',
        'auto: tensorflow if installed, else webgpu on a GPU that isn’t software, else wasm; ray: on a Ray cluster, with PyTorch and PEFT',
      ),
    ),
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
  threads: threadsSchema
    .nullable()
    .default(null)
    .meta(about('Threads', 'CPU threads; null: all cores, or with ray one CPU for each worker')),
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
  ...clusterShape,
});

export type EngineConfig = z.infer<typeof engineConfigSchema>;
/** Where a run is trained, which doesn't change what is trained. */
export const PLACE_KEYS = [
  'backend',
  'adapter',
  'threads',
  ...(Object.keys(clusterShape) as (keyof typeof clusterShape)[]),
] as const;
export type BaseWeights = EngineConfig['base_weights'];
/** What computes. */
export type DeviceSettings = Pick<EngineConfig, 'backend' | 'threads'> & Partial<Pick<EngineConfig, 'adapter'>>;
/** How the base weights are stored and multiplied. */
export type WeightSettings = Pick<EngineConfig, 'base_weights' | 'precision'>;
/** The same with `auto` resolved for a machine. */
export type UsedWeights = WeightSettings & { precision: Exclude<EngineConfig['precision'], 'auto'> };
