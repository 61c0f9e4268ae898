// What a running fine-tune can be told, one JSON object a line appended to `commands.ndjson` of its run folder. A file
// rather than a pipe, so that a window that is opened later, or a second one, can steer the run as well.
import * as z from 'zod';

export const controlCommandSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('pause').describe('Wait before the next step') }),
  z.object({ type: z.literal('resume').describe('Go on after a pause') }),
  z.object({ type: z.literal('save').describe('Save a checkpoint now') }),
  z.object({ type: z.literal('stop').describe('Save a checkpoint and the adapter, then end') }),
]);
export type ControlCommand = z.infer<typeof controlCommandSchema>;

/** `process.json` of a run folder while a process trains in it. */
export const runProcessSchema = z.object({
  pid: z.int().positive(),
  started: z.iso.datetime(),
});
export type RunProcess = z.infer<typeof runProcessSchema>;
