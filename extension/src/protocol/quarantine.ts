// The quarantine file beside a dataset: rows that runs leave out if their dataset.exclude names it. Written by
// `tunewright quarantine`; the dataset itself is never changed.
import * as z from 'zod';
import { about } from './about.js';

export const quarantinedRowSchema = z.strictObject({
  hash: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .meta(about('Hash', 'SHA-256 of what the row says; all rows that say the same are left out, wherever they are')),
  line: z.int().positive().meta(about('Line', 'Where the row was when it was put here; only for people')),
});
export type QuarantinedRow = z.infer<typeof quarantinedRowSchema>;

export const quarantineSchema = z.strictObject({
  rows: z.array(quarantinedRowSchema).meta(about('Rows', 'Rows to leave out')),
});

const EXTENSION = '.quarantine';

/** The quarantine file of a dataset, unless a run names another. */
export function quarantineFile(dataset: string): string {
  return dataset + EXTENSION;
}

/** The dataset beside which a quarantine file is. */
export function quarantinedFile(quarantine: string): string {
  return quarantine.slice(0, -EXTENSION.length);
}
