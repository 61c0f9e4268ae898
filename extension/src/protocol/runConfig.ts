// The run file, in which a user describes a fine-tune. Zod schemas only; names and defaults are those of Transformers and PEFT. The
// blocks that are also used alone are in datasetConfig.ts, engineConfig.ts and exportConfig.ts.
// The rest of the `method` block is validated by the schema of the method that `peft_type` names (engine/peft/registry.ts).
import * as z from 'zod';
import { about } from './about.js';
import { datasetConfigSchema } from './datasetConfig.js';
import { engineConfigSchema } from './engineConfig.js';
import { exportEntrySchema } from './exportConfig.js';

const path = z.string().min(1);
const count = z.int().positive();
const steps = z.int().positive().nullable();

/** Months of the fastest steps. */
export const MAX_STEPS = 1e9;

/** Metrics of generated answers, under the names of Hugging Face's `evaluate`. */
export const TEXT_METRIC_NAMES = ['rouge1', 'rouge2', 'rougeL', 'exact_match'] as const;
export type TextMetricName = (typeof TEXT_METRIC_NAMES)[number];

export const trainingConfigSchema = z.strictObject({
  num_train_epochs: z
    .number()
    .positive()
    .max(100_000)
    .default(3)
    .meta(about('Epochs', 'Passes over the training rows')),
  max_steps: z
    .int()
    .max(MAX_STEPS)
    .default(-1)
    .meta(about('Max steps', 'Stop after this number of optimizer steps; -1: train for num_train_epochs')),
  max_minutes: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .meta(
      about(
        'Max minutes',
        'Stop after this time in training steps, with the learning rate at its end; null: no limit. The number of steps then depends on the machine',
      ),
    ),
  per_device_train_batch_size: count.default(4).meta(about('Batch size', 'Sequences in one forward pass')),
  per_device_eval_batch_size: count
    .nullable()
    .default(null)
    .meta(about('Evaluation batch size', 'Sequences evaluated at once; null: as in training')),
  gradient_accumulation_steps: count
    .default(1)
    .meta(about('Gradient accumulation', 'Batches accumulated for one optimizer step')),
  gradient_checkpointing: z
    .boolean()
    .default(false)
    .meta(
      about(
        'Gradient checkpointing',
        'Recompute each layer in the backward pass instead of keeping its activations: far less memory, up to 50% slower',
      ),
    ),
  learning_rate: z.number().positive().default(2e-4).meta(about('Learning rate', 'Peak value, after warm-up')),
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
    .meta(about('Schedule', 'How the learning rate changes over the run, as Transformers’ get_scheduler')),
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
    .meta(about('Warm-up ratio', 'Warm-up as a share of all steps; warmup_steps takes precedence')),
  weight_decay: z.number().nonnegative().default(0).meta(about('Weight decay', 'Decoupled weight decay of AdamW')),
  adam_beta1: z.number().min(0).lt(1).default(0.9).meta(about('Adam β₁', 'Decay of the first moment')),
  adam_beta2: z.number().min(0).lt(1).default(0.999).meta(about('Adam β₂', 'Decay of the second moment')),
  adam_epsilon: z.number().positive().default(1e-8).meta(about('Adam ε', 'Added to the denominator of the update')),
  max_grad_norm: z
    .number()
    .nonnegative()
    .default(1)
    .meta(about('Gradient clipping', 'Gradients are scaled down to this norm; 0: no clipping')),
  seed: z.int().nonnegative().default(42).meta(about('Seed', 'Determines split, order, initial values and dropout')),
  shuffle: z.boolean().default(true).meta(about('Shuffle', 'A new order in each epoch; otherwise file order')),
  logging_steps: count.default(1).meta(about('Log every', 'Steps between two step events')),
  eval_steps: steps
    .default(null)
    .meta(about('Evaluate every', 'Steps between two evaluations; null: at the end of each epoch')),
  save_steps: steps
    .default(null)
    .meta(about('Save every', 'Steps between two checkpoints; null: at the end of each epoch')),
  save_total_limit: count
    .nullable()
    .default(3)
    .meta(about('Checkpoint limit', 'Older checkpoints are deleted, except the best one; null: keep all')),
  load_best_model_at_end: z
    .boolean()
    .default(true)
    .meta(about('Load best at end', 'Save the adapter of the best evaluation instead of the last one')),
  metric_for_best_model: z
    .string()
    .min(1)
    .default('loss')
    .meta(
      about(
        'Metric for best model',
        'By what an evaluation is the best: loss is the validation loss; or any other metric that the run measures, such as one of eval_metrics',
      ),
    ),
  greater_is_better: z
    .boolean()
    .nullable()
    .default(null)
    .meta(
      about('Greater is better', 'Whether higher values of metric_for_best_model are better; null: as is usual for it'),
    ),
  early_stopping_patience: count
    .nullable()
    .default(null)
    .meta(about('Early stopping patience', 'Stop after this number of evaluations without improvement')),
  early_stopping_threshold: z
    .number()
    .nonnegative()
    .default(0)
    .meta(about('Early stopping threshold', 'How much metric_for_best_model must improve to count for early stopping')),
  eval_metrics: z
    .array(z.enum(TEXT_METRIC_NAMES))
    .default([])
    .meta(
      about(
        'Evaluation metrics',
        'At each evaluation, answer validation rows greedily and compare: rouge1, rouge2, rougeL, exact_match',
      ),
    ),
  eval_metrics_rows: count
    .default(16)
    .meta(
      about(
        'Rows for metrics',
        'Validation rows that are answered for eval_metrics, evenly spaced; up to 16 are answered at once',
      ),
    ),
  eval_max_new_tokens: count
    .default(128)
    .meta(about('Longest answer for metrics', 'Longest answer for eval_metrics, in tokens')),
  measure_forgetting: z
    .boolean()
    .default(true)
    .meta(
      about(
        'Measure forgetting',
        'Measure at each evaluation how far the model has moved from its base on general text',
      ),
    ),
  general_texts: path
    .nullable()
    .default(null)
    .meta(
      about('General texts', 'Rows on which forgetting is measured, the first 256 tokens of them; null: bundled texts'),
    ),
});

export const samplesConfigSchema = z.strictObject({
  prompts: z
    .array(z.string().min(1))
    .default([])
    .meta(about('Prompts', 'Prompts that are answered before, during and after training')),
  steps: steps.default(null).meta(about('Sample every', 'Steps between two answers; null: at each evaluation')),
  max_new_tokens: count.default(48).meta(about('Max new tokens', 'Longest answer in tokens')),
});

export const runConfigSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1).default('run').meta(about('Name', 'Name of the run')),
  model: z.string().min(1).meta(about('Model', 'A folder, a .gguf file, a hub id, or embedded:tiny')),
  dataset: datasetConfigSchema.meta(about('Dataset', 'The rows to train on')),
  method: z.looseObject({
    peft_type: z
      .string()
      .describe('LORA, PROMPT_TUNING, PREFIX_TUNING, P_TUNING, IA3, LOHA, VERA, SELECTIVE, BOTTLENECK_ADAPTER, FULL'),
    init_from: path
      .nullable()
      .default(null)
      .meta(
        about(
          'Initialize from',
          'A PEFT adapter folder, or a checkpoint of a run, to continue training from; its own config applies',
        ),
      ),
  }),
  training: trainingConfigSchema
    .prefault({})
    .meta(about('Training', 'Duration, learning rate, evaluation and checkpoints')),
  samples: samplesConfigSchema.prefault({}).meta(about('Sample answers', 'Prompts that show the effect of training')),
  engine: engineConfigSchema.prefault({}).meta(about('Engine', 'Backend and precision')),
  export: z
    .array(exportEntrySchema)
    .default([])
    .meta(
      about(
        'Exports',
        'What is written for other programs when the run has completed; a failure leaves its result as it is',
      ),
    ),
});

export type RunConfig = z.infer<typeof runConfigSchema>;
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;
