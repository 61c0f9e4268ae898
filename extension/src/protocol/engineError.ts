// Errors as data: the last line that a command with --json prints, the fields of a run's `failed` event, and error responses of
// the resident engine (residentMessages.ts). The same text for people goes to standard error.
import * as z from 'zod';

/** Stable codes that programs can act on. New ones may be added: readers treat an unknown code as `internal`. */
export const errorCodeSchema = z.enum([
  /** The command line itself is wrong: an unknown option, a missing argument. */
  'bad_usage',
  /** A file, key or value is wrong; the other fields of the record say which. */
  'bad_input',
  /** A checkpoint isn't as it was written. */
  'checkpoint_damaged',
  /** A conversation or text is longer than the model's context. */
  'prompt_too_long',
  /** The model is not on this machine; `file` is the name that was requested. */
  'model_not_found',
  /** The same of a model that can be pulled by that name. */
  'model_not_pulled',
  /** A server can't be reached, or must not be (offline mode). */
  'unreachable',
  /** Another program's server, such as Ollama's, refused a request or broke it off. */
  'server_failed',
  /** TensorFlow is not installed, or can't be used here. */
  'engine_not_installed',
  /** More memory is needed than is available. */
  'out_of_memory',
  /** The GPU's driver was reset or taken away. */
  'device_lost',
  /** Workers of a cluster were lost again and again. */
  'worker_lost',
  /** Loss, gradients or weights became non-finite. */
  'diverged',
  /** An export was read again and differs from what it was made from; nothing of it is left. */
  'export_differs',
  /** Cancelled by the caller. */
  'cancelled',
  /** A fault of the program or of the machine. */
  'internal',
]);

export const engineErrorSchema = z.object({
  code: errorCodeSchema.catch('internal'),
  message: z.string(),
  file: z.string().optional().describe('File or folder; for a model or a download, the requested name'),
  line: z.int().positive().optional().describe('Line of the file, from 1'),
  column: z.int().positive().optional().describe('Column of the line, from 1'),
  key: z.string().optional().describe('Key of the run file with dots, option, tensor, or key within the file'),
  hint: z.string().optional().describe('What to change, as a sentence'),
});
export type EngineError = z.infer<typeof engineErrorSchema>;

/** The last line of standard output of a command with --json that failed. */
export const errorLineSchema = engineErrorSchema.extend({ type: z.literal('error') });
