// The run file: what a user writes to describe one fine-tune. Zod schemas only; names and defaults are Transformers' and
// PEFT's own. The `method` block is checked further by the schema of the method that `peft_type` names
// (engine/peft/registry.ts), so that a new method touches nothing here.
import * as z from 'zod';
import { about } from './about.js';

const path = z.string().min(1);
const count = z.int().positive();
const steps = z.int().positive().nullable();

export const datasetConfigSchema = z.strictObject({
  train: path.meta(
    about('Training data', 'Training rows: a .jsonl, .json, .csv or .parquet file, relative to the run file'),
  ),
  validation: z
    .union([path, z.number().positive().lt(1)])
    .nullable()
    .default(null)
    .meta(about('Validation', 'Held-out rows: a file, or the share of the training rows to hold out (0.1 = 10%)')),
  format: z
    .string()
    .default('auto')
    .meta(
      about('Format', 'alpaca, sharegpt, messages, prompt_completion, text or tokenized; auto looks at the first rows'),
    ),
  columns: z
    .record(z.string(), z.string())
    .default({})
    .meta(
      about('Columns', 'Where the format’s fields stand in your rows: {"instruction": "question", "output": "answer"}'),
    ),
  max_length: count
    .default(512)
    .meta(about('Longest sequence', 'In tokens; unless told otherwise, longer rows are cut at their end')),
  packing: z
    .boolean()
    .default(true)
    .meta(about('Packing', 'Put several short rows into one sequence; rows never see each other')),
  train_on: z
    .enum(['completions', 'all'])
    .default('completions')
    .meta(about('Train on', 'Take the loss on the answers only, or on every token')),
  truncation: z
    .enum(['drop', 'end', 'error'])
    .default('end')
    .meta(about('Rows that are too long', 'A row longer than max_length is dropped, cut at its end, or stops the run')),
  chat_template: path
    .nullable()
    .default(null)
    .meta(about('Chat template', 'A Jinja file to use in place of the model’s own chat template')),
  on_change: z
    .enum(['mark', 'continue'])
    .default('mark')
    .meta(
      about(
        'After an edit',
        'What VS Code does when the training rows are edited later: mark the run as outdated, or train its adapter further in a new run',
      ),
    ),
});

export const trainingConfigSchema = z.strictObject({
  num_train_epochs: z.number().positive().default(3).meta(about('Epochs', 'Passes over the training rows')),
  max_steps: z
    .int()
    .default(-1)
    .meta(about('Most steps', 'Stop after so many optimizer steps; -1 follows num_train_epochs')),
  per_device_train_batch_size: count.default(4).meta(about('Batch size', 'Sequences in one forward pass')),
  per_device_eval_batch_size: count
    .nullable()
    .default(null)
    .meta(about('Batch size of evaluation', 'Sequences evaluated at once; null: as in training')),
  gradient_accumulation_steps: count
    .default(1)
    .meta(about('Gradient accumulation', 'Forward passes in one optimizer step')),
  gradient_checkpointing: z
    .boolean()
    .default(false)
    .meta(
      about(
        'Gradient checkpointing',
        'Compute each layer again for its gradient in place of keeping it: far less memory, up to half slower',
      ),
    ),
  learning_rate: z.number().positive().default(2e-4).meta(about('Learning rate', 'At its peak, behind the warm-up')),
  lr_scheduler_type: z
    .enum([
      'linear',
      'cosine',
      'constant',
      'constant_with_warmup',
      'polynomial',
      'inverse_sqrt',
      'cosine_with_restarts',
    ])
    .default('cosine')
    .meta(about('Schedule', 'How the learning rate moves over the run, as Transformers’ get_scheduler')),
  warmup_steps: z
    .int()
    .nonnegative()
    .default(0)
    .meta(about('Warm-up steps', 'Steps over which the learning rate rises from 0')),
  warmup_ratio: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .meta(about('Warm-up share', 'The same as a share of all steps; warmup_steps wins')),
  weight_decay: z.number().nonnegative().default(0).meta(about('Weight decay', 'Decoupled weight decay of AdamW')),
  adam_beta1: z.number().min(0).lt(1).default(0.9).meta(about('Adam β₁', 'Decay of the first moment')),
  adam_beta2: z.number().min(0).lt(1).default(0.999).meta(about('Adam β₂', 'Decay of the second moment')),
  adam_epsilon: z.number().positive().default(1e-8).meta(about('Adam ε', 'Added to the denominator of the update')),
  max_grad_norm: z
    .number()
    .nonnegative()
    .default(1)
    .meta(about('Gradient clipping', 'Gradients are scaled down to this norm; 0 leaves them')),
  seed: z
    .int()
    .nonnegative()
    .default(42)
    .meta(about('Seed', 'Split, order, initial values and dropout follow from it alone')),
  shuffle: z.boolean().default(true).meta(about('Shuffle', 'A new order each epoch; otherwise the rows in file order')),
  logging_steps: count.default(1).meta(about('Log every', 'A step event every so many steps')),
  eval_steps: steps
    .default(null)
    .meta(about('Evaluate every', 'Evaluate every so many steps; null: at the end of each epoch')),
  save_steps: steps
    .default(null)
    .meta(about('Save every', 'Save a checkpoint every so many steps; null: at the end of each epoch')),
  save_total_limit: count
    .nullable()
    .default(3)
    .meta(about('Checkpoints kept', 'Keep so many checkpoints, the best one always')),
  load_best_model_at_end: z
    .boolean()
    .default(true)
    .meta(about('Keep the best', 'Write the adapter of the lowest validation loss')),
  early_stopping_patience: count
    .nullable()
    .default(null)
    .meta(about('Early stopping patience', 'Stop after so many evaluations without a lower validation loss')),
  early_stopping_threshold: z
    .number()
    .nonnegative()
    .default(0)
    .meta(about('Early stopping threshold', 'How much lower counts as lower')),
});

export const samplesConfigSchema = z.strictObject({
  prompts: z
    .array(z.string().min(1))
    .default([])
    .meta(about('Prompts', 'Prompts answered before, during and after the training')),
  steps: steps.default(null).meta(about('Answer every', 'Answer them every so many steps; null: at each evaluation')),
  max_new_tokens: count.default(48).meta(about('Longest answer', 'In tokens')),
});

export const engineConfigSchema = z.strictObject({
  backend: z
    .enum(['auto', 'tensorflow', 'wasm'])
    .default('auto')
    .meta(about('Backend', 'auto: tensorflow where it is installed')),
  compile: z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .meta(about('Compile', 'Capture the training step as one TensorFlow graph')),
  threads: count.nullable().default(null).meta(about('Threads', 'CPU threads; null: every core')),
  base_weights: z
    .enum(['float32', 'bfloat16', 'int8', 'int4'])
    .default('float32')
    .meta(
      about(
        'Base weights',
        'How the frozen weights are held in memory: bfloat16 takes a half of float32, int8 a quarter, int4 an eighth; GGUF’s Q8_0, Q4_0 and Q4_1 are kept as they are',
      ),
    ),
  precision: z
    .enum(['float32', 'bfloat16', 'auto'])
    .default('float32')
    .meta(
      about(
        'Precision',
        'How inputs are multiplied by frozen weights: bfloat16 rounds both, as autocast does, and is faster on CPUs with AVX512_BF16 or AMX; elsewhere the run says so and stays at float32. auto: bfloat16 where a product measured on this machine is faster by it',
      ),
    ),
});

export const runConfigSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1).default('run').meta(about('Name', 'What the run is called')),
  model: z.string().min(1).meta(about('Model', 'A folder, a .gguf file, a hub id, or embedded:tiny')),
  dataset: datasetConfigSchema.meta(about('Dataset', 'The rows to learn from')),
  method: z.looseObject({
    peft_type: z
      .string()
      .describe('LORA, PROMPT_TUNING, PREFIX_TUNING, P_TUNING, IA3, LOHA, VERA, SELECTIVE, BOTTLENECK_ADAPTER, FULL'),
    init_from: path
      .nullable()
      .default(null)
      .meta(about('Start from', 'A PEFT adapter folder to start from; its own config applies')),
  }),
  training: trainingConfigSchema.prefault({}).meta(about('Training', 'How long, how fast, what is kept')),
  samples: samplesConfigSchema.prefault({}).meta(about('Sample answers', 'Prompts that show what training changes')),
  engine: engineConfigSchema.prefault({}).meta(about('Engine', 'What computes')),
});

export type RunConfig = z.infer<typeof runConfigSchema>;
export type DatasetConfig = z.infer<typeof datasetConfigSchema>;
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;
export type EngineConfig = z.infer<typeof engineConfigSchema>;
export type BaseWeights = EngineConfig['base_weights'];
/** What says how the base is held and multiplied. */
export type WeightSettings = Pick<EngineConfig, 'base_weights' | 'precision'>;
/** The same on a machine, where `auto` has become one or the other. */
export type UsedWeights = WeightSettings & { precision: Exclude<EngineConfig['precision'], 'auto'> };
