// What went wrong, as data: the last line that a command with --json prints, the fields of a run's `failed` event, and what
// a resident engine answers (residentMessages.ts). People read the same on standard error; programs read this.
import * as z from 'zod';

/** Stable names to decide by. More may come: a reader takes one that it doesn't know for `internal`. */
export const errorCodeSchema = z.enum([
  /** The command line itself: an unknown option, a missing argument. */
  'bad_usage',
  /** A file, a key or a value is wrong; the rest of the record says which. */
  'bad_input',
  /** The model is not on this machine; `file` is what it was asked for by. */
  'model_not_found',
  /** TensorFlow is not installed, or can't be used here. */
  'engine_not_installed',
  /** It would take more memory than is free. */
  'out_of_memory',
  /** Loss, gradients or weights became non-finite. */
  'diverged',
  /** The caller asked for it to end. */
  'cancelled',
  /** A fault of the program or of the machine. */
  'internal',
]);

export const engineErrorSchema = z.object({
  code: errorCodeSchema.catch('internal'),
  message: z.string(),
  file: z.string().optional().describe('File or folder; a model or a download by the name that it was asked for'),
  line: z.int().positive().optional().describe('Of the file, from 1'),
  key: z.string().optional().describe('Key of the run file with dots, option, tensor, or key within the file'),
  hint: z.string().optional().describe('What to change, as a sentence'),
});
export type EngineError = z.infer<typeof engineErrorSchema>;

/** The last line of standard output of a command with --json that failed. */
export const errorLineSchema = engineErrorSchema.extend({ type: z.literal('error') });
