// ray.json of a run folder: which job of which cluster trains the run, so that another process can go on following it.
import * as z from 'zod';
import { join } from 'node:path';
import { readJsonObject, writeJson } from '../files/jsonFile.js';
import type { RunFolder } from '../runFolder/runFolder.js';

const jobRecordSchema = z.object({
  address: z.string(),
  /** The run on the cluster: a resumed run keeps it, with a new job. */
  run: z.string(),
  submission_id: z.string(),
  /** `seq` of the first event that may be of this job. */
  first_seq: z.int().nonnegative(),
  /** Whether all that the job said has been read. */
  ended: z.boolean(),
  bytes_sent: z.int().nonnegative(),
  bytes_fetched: z.int().nonnegative(),
});
export type JobRecord = z.infer<typeof jobRecordSchema>;

/** null: the run had no job yet, or the file is damaged. */
export function readJobRecord(folder: RunFolder): JobRecord | null {
  const read = jobRecordSchema.safeParse(readJsonObject(pathOf(folder), 'refuse'));
  return read.success ? read.data : null;
}

export function writeJobRecord(folder: RunFolder, record: JobRecord): void {
  writeJson(pathOf(folder), record);
}

function pathOf(folder: RunFolder): string {
  return join(folder.path, 'ray.json');
}
