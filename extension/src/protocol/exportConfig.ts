// What can be exported and how: the entries of `export` in a run file, the options of `merge` and `export`, the forms of the Export
// view. Zod schemas only; what each target does is in engine/export/targets/, a file each.
import * as z from 'zod';
import { about } from './about.js';

/** Types of the matrices of a GGUF file, as llama.cpp's tools name them. */
export const GGUF_MODEL_TYPES = [
  'f32',
  'f16',
  'bf16',
  'q8_0',
  'q6_k',
  'q5_k_m',
  'q4_k_m',
  'q5_1',
  'q5_0',
  'q4_1',
  'q4_0',
] as const;
export type GgufModelType = (typeof GGUF_MODEL_TYPES)[number];

/** Types of a single matrix. */
export const GGUF_MATRIX_TYPES = [
  'f32',
  'f16',
  'bf16',
  'q8_0',
  'q6_k',
  'q5_k',
  'q4_k',
  'q5_1',
  'q5_0',
  'q4_1',
  'q4_0',
] as const;
export type GgufMatrixType = (typeof GGUF_MATRIX_TYPES)[number];

/** `user/name`, as the hub allows it. */
export const HUB_REPOSITORY = /^[A-Za-z0-9][\w-]*(\.[\w-]+)*\/[A-Za-z0-9_][\w.-]{0,95}$/;

const out = {
  out: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(about('Place', 'File or new folder, relative to the run file; null: in exports/ of the run folder')),
};

const ggufType = z
  .enum(['own', ...GGUF_MODEL_TYPES])
  .default('own')
  .meta(about('Type', 'Type of the matrices; own: that of the base'));

/** The options of a target, with its place. */
function target<Name extends string, Options extends z.ZodRawShape>(
  name: Name,
  { title, description }: { title: string; description: string },
  options: Options,
) {
  return placed(name, { title, description }, options, out);
}

/** The same of one that has a place of its own: null is what older run files have. */
function elsewhere<Name extends string, Options extends z.ZodRawShape>(
  name: Name,
  { title, description }: { title: string; description: string },
  options: Options,
) {
  const none = z
    .null()
    .default(null)
    .meta(about('Place', `${title} has a place of its own`));
  return placed(name, { title, description }, options, { out: none });
}

function placed<Name extends string, Options extends z.ZodRawShape, Place extends z.ZodType>(
  name: Name,
  { title, description }: { title: string; description: string },
  options: Options,
  place: { out: Place },
) {
  const named = { target: z.literal(name).meta(about(title, description)) };
  return z.strictObject({ ...named, ...options, ...place }).meta(about(title, description));
}

const installedName = (what: string) => ({
  name: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(about('Name', `${what}; null: that of the run or model`)),
});

/** By `target`; each with a line in engine/export/targets/registry.ts. */
export const exportSchemas = {
  gguf: target('gguf', about('GGUF', 'The merged model as one file for llama.cpp and the programs that use it'), {
    type: ggufType,
    touched: z
      .enum(GGUF_MATRIX_TYPES)
      .nullable()
      .default(null)
      .meta(about('Type of changed matrices', 'Type of the matrices that an adapter changes; null: as the others')),
  }),
  folder: target(
    'folder',
    about('Hugging Face folder', 'The merged model as a folder for Transformers, vLLM and others'),
    {
      dtype: z.enum(['float32', 'float16', 'bfloat16']).default('float32').meta(about('Type', 'Type of all tensors')),
      max_shard_size: z
        .string()
        .regex(/^ *(?=[\d.]*[1-9])\d+(\.\d+)? *[KMGTkmgt][Bb] *$/)
        .default('50GB')
        .meta({ ...about('Largest file', 'Largest file of weights'), examples: ['500MB', '5GB'] }),
    },
  ),
  mlx: target('mlx', about('MLX', 'The merged model as a folder for mlx-lm on a Mac'), {
    dtype: z.enum(['float16', 'bfloat16']).default('bfloat16').meta(about('Type', 'Type of all tensors')),
  }),
  adapter_gguf: target(
    'adapter_gguf',
    about('LoRA for llama.cpp', 'The adapter alone as a GGUF file, used with the base by llama.cpp'),
    {},
  ),
  adapter_mlx: target(
    'adapter_mlx',
    about('LoRA for MLX', 'The adapter alone as a folder, used with the base by mlx-lm'),
    {},
  ),
  ollama: elsewhere('ollama', about('Ollama', 'The merged model, installed in Ollama on this machine'), {
    type: ggufType,
    ...installedName('Name of the model in Ollama'),
  }),
  lm_studio: elsewhere(
    'lm_studio',
    about('LM Studio', 'The merged model, in the models folder of LM Studio on this machine'),
    { type: ggufType, ...installedName('Folder of the model in LM Studio, with or without a publisher') },
  ),
  hub: elsewhere(
    'hub',
    about(
      'Hugging Face Hub',
      'Adapter or model in a repository on the Hugging Face Hub, private unless you say otherwise',
    ),
    {
      repo: z
        .string()
        .regex(HUB_REPOSITORY)
        .nullable()
        .default(null)
        .meta({
          ...about('Repository', 'Repository on the hub; null: your own account and the name of the run or model'),
          examples: ['user/name'],
        }),
      content: z
        .enum(['adapter', 'folder', 'gguf'])
        .nullable()
        .default(null)
        .meta(
          about(
            'Content',
            'What is pushed: the adapter, or the merged model as a folder or GGUF file; null: the adapter, or a model as it is',
          ),
        ),
      private: z
        .boolean()
        .default(true)
        .meta(about('Private', 'Only you, or your organization, can see a new repository')),
      type: ggufType.meta(about('Type', 'Type of the matrices of a GGUF file; own: that of the base')),
      dtype: z
        .enum(['float32', 'float16', 'bfloat16'])
        .nullable()
        .default(null)
        .meta(about('Type of a folder', 'Type of all tensors of a folder; null: float32, or as they are')),
      revision: z.string().min(1).nullable().default(null).meta(about('Branch', 'Branch to push to; null: main')),
      message: z
        .string()
        .min(1)
        .nullable()
        .default(null)
        .meta(about('Message', 'Message of the commit; null: what is pushed')),
      datasets: z
        .array(
          z
            .string()
            .regex(HUB_REPOSITORY)
            .meta({ examples: ['user/name'] }),
        )
        .default([])
        .meta(about('Datasets', 'Datasets on the hub that the rows come from, for the model card')),
    },
  ),
} as const;

/** What is exported, and how. */
export const exportEntrySchema = z.discriminatedUnion('target', [
  exportSchemas.gguf,
  exportSchemas.folder,
  exportSchemas.mlx,
  exportSchemas.adapter_gguf,
  exportSchemas.adapter_mlx,
  exportSchemas.ollama,
  exportSchemas.lm_studio,
  exportSchemas.hub,
]);
export type ExportEntry = z.infer<typeof exportEntrySchema>;
export type ExportName = ExportEntry['target'];
export type ExportEntryOf<Name extends ExportName> = Extract<ExportEntry, { target: Name }>;
