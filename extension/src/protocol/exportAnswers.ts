// What exports take and what they have written: printed by `merge` and `export` with --json, and answered by the resident engine.
import * as z from 'zod';
import { certificateSchema } from './certificate.js';
import { engineErrorSchema } from './engineError.js';

/** What an export has changed, in nats per token. */
const roundingSchema = z.object({
  /** KL(base + adapter || written file) */
  kl: z.number(),
  /** KL(base + adapter || base); null without an adapter. */
  adapter_kl: z.number().nullable(),
  label_tokens: z.int(),
});

export type Rounding = z.infer<typeof roundingSchema>;

/** What there is to choose from: in `describe`. */
export const exportTargetFactsSchema = z.object({
  target: z.string(),
  /** After `export --to`. */
  to: z.string(),
  takes: z.enum(['adapter', 'model']),
  writes: z.enum(['file', 'folder', 'elsewhere']),
  title: z.string(),
  description: z.string(),
  /** JSON schema of its options. */
  schema: z.record(z.string(), z.unknown()),
});
export type ExportTargetFacts = z.infer<typeof exportTargetFactsSchema>;

/** What an export would take. */
export const exportPlanSchema = z.object({
  target: z.string(),
  /** Where it would be written; null: elsewhere, such as in another program. */
  path: z.string().nullable(),
  /** There is something at that place. */
  taken: z.boolean(),
  /** Of all that is written. */
  bytes: z.int(),
  /** Expected; from the time that a part of each kind of tensor takes. */
  seconds: z.number(),
  /** What it needs in addition to model and adapters, in words, and whether it is there. */
  needs: z.array(z.object({ what: z.string(), met: z.boolean(), hint: z.string().nullable() })),
  /** By their names in a folder or repository, if it is several files. */
  files: z.array(z.object({ path: z.string(), bytes: z.int() })).optional(),
  /** The model card that a repository gets. */
  card: z.string().optional(),
});
export type ExportPlan = z.infer<typeof exportPlanSchema>;

/** The same for all targets: those that can't be used say why. */
export const exportPlansSchema = z.object({
  plans: z.array(
    z.object({ target: z.string(), plan: exportPlanSchema.nullable(), refused: engineErrorSchema.nullable() }),
  ),
});
export type ExportPlans = z.infer<typeof exportPlansSchema>;

/** A finished export. */
export const exportedSchema = z.object({
  target: z.string(),
  /** File or folder on this machine; null: elsewhere. */
  path: z.string().nullable(),
  /** The path, or the name under which it is known elsewhere. */
  place: z.string(),
  /** Of all that was written. */
  bytes: z.int(),
  /** The adapter's method, or a list of several; null without an adapter. */
  peft_type: z.union([z.string(), z.array(z.string())]).nullable(),
  /** Parameters that the adapters have changed, in a merged model. */
  changed_parameters: z.int().optional(),
  /** Number of tensors by type, in GGUF. */
  types: z.record(z.string(), z.int()).optional(),
  /** What rounding has changed; null if it wasn't measured. */
  rounding: roundingSchema.nullable(),
  /** null: nothing was made, so that there is nothing to compare. */
  certificate: certificateSchema
    .extend({
      /** Where it is; null: it could not be written, or has no place. */
      file: z.string().nullable(),
    })
    .nullable(),
  /** What a command of llama.cpp takes in addition to the written file; absent if that isn't its format. */
  llama_cpp: z
    .object({
      /** For an adapter, GGUF of its base; null: the file is the model. */
      base: z.string().nullable(),
      has_chat_template: z.boolean(),
    })
    .optional(),
  /** What happened to a repository. */
  pushed: z
    .object({
      repo: z.string(),
      /** null: it had everything already. */
      commit: z.string().nullable(),
      private: z.boolean(),
      /** `kept`: another content that was there and isn't replaced. */
      files: z.array(z.object({ path: z.string(), bytes: z.int(), state: z.enum(['uploaded', 'unchanged', 'kept']) })),
    })
    .optional(),
});
export type Exported = z.infer<typeof exportedSchema>;
