// The `dataset` block of a run file. A file of its own, because what only reads rows, such as the preview, needs no more of it.
import * as z from 'zod';
import { about } from './about.js';

const path = z.string().min(1);
const count = z.int().positive();

export const datasetConfigSchema = z.strictObject({
  train: path.meta(
    about(
      'Training data',
      'Training rows: a .jsonl, .json, .csv, .tsv or .parquet file (text also as .gz), or a folder with one, relative to the run file',
    ),
  ),
  validation: z
    .union([path, z.number().positive().lt(1)])
    .nullable()
    .default(null)
    .meta(about('Validation', 'Validation rows: a file, or the share of the training rows to hold out (0.1 = 10%)')),
  format: z
    .string()
    .default('auto')
    .meta(
      about(
        'Format',
        'alpaca, sharegpt, messages, prompt_completion, text or tokenized (preference can only be previewed); auto detects it from the first rows',
      ),
    ),
  columns: z
    .record(z.string(), z.string())
    .default({})
    .meta(
      about('Columns', 'Your columns for the fields of the format: {"instruction": "question", "output": "answer"}'),
    ),
  max_length: count
    .default(512)
    .meta(about('Max length', 'Longest sequence in tokens; what happens to longer rows is set by truncation')),
  packing: z
    .boolean()
    .default(true)
    .meta(about('Packing', 'Pack several short rows into one sequence; rows don’t attend to each other')),
  train_on: z
    .enum(['completions', 'all'])
    .default('completions')
    .meta(about('Train on', 'Compute the loss on the answers only, or on every token')),
  truncation: z
    .enum(['drop', 'end', 'error'])
    .default('end')
    .meta(about('Truncation', 'Rows longer than max_length are dropped, truncated at the end, or an error')),
  on_bad_row: z
    .enum(['skip', 'error'])
    .default('skip')
    .meta(
      about(
        'Rows that can’t be used',
        'Left out with a warning, or an error at the first one; more than a tenth of 20 or more rows is always an error',
      ),
    ),
  exclude: path
    .nullable()
    .default(null)
    .meta(
      about(
        'Excluded rows',
        'A quarantine file (*.quarantine) with training rows to leave out, made in VS Code or by tunewright quarantine',
      ),
    ),
  chat_template: path
    .nullable()
    .default(null)
    .meta(about('Chat template', 'A Jinja file to use instead of the model’s own chat template')),
  suites: z
    .array(path)
    .default([])
    .meta(
      about(
        'Suites',
        'Evaluation suites (*.eval.jsonl) that will judge the result: a training row that one was made from is an error',
      ),
    ),
  on_change: z
    .enum(['mark', 'continue'])
    .default('mark')
    .meta(
      about(
        'After an edit',
        'What VS Code does when the training rows are edited later: mark the run as outdated, or continue training its adapter in a new run',
      ),
    ),
});
export type DatasetConfig = z.infer<typeof datasetConfigSchema>;
