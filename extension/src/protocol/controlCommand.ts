// Commands to a running fine-tune, one JSON object per line, appended to `commands.ndjson` in its run folder. A file instead of a
// pipe, so that any window, also one that is opened later, can control the run.
import * as z from 'zod';

export const controlCommandSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('pause').describe('Wait before the next step') }),
  z.object({ type: z.literal('resume').describe('End the pause') }),
  z.object({ type: z.literal('save').describe('Save a checkpoint now') }),
  z.object({ type: z.literal('stop').describe('Save a checkpoint and the adapter, then end') }),
]);
export type ControlCommand = z.infer<typeof controlCommandSchema>;

/** `process.json` of a run folder while a process trains in it; system/fileClaim.ts says what proves it. */
export const fileClaimSchema = z.object({
  pid: z.int().positive(),
  /** When it was claimed. */
  started: z.iso.datetime(),
  /** When the process was started, as the operating system says. */
  start: z.string().min(1),
  /** Where its pid means something (`pidSpace`). Missing in claims of version 0.1. */
  pidSpace: z.string().optional(),
  secret: z.uuid(),
});
export type FileClaim = z.infer<typeof fileClaimSchema>;
