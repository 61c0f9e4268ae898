// The certificate of an export: what was compared between a written file or folder and what it was made from, and with which result.
// Written by the engine as certificate.json in the run folder or beside the export, shown by the command line and by dashboards.
import * as z from 'zod';
import { installedAnswersSchema } from './installedAnswers.js';

/** same: no difference at all. within: a difference within the bound. differs: above it; such an export is never put in place. */
export const verdictSchema = z.enum(['same', 'within', 'differs', 'not compared']);
export type Verdict = z.infer<typeof verdictSchema>;

export const comparisonSchema = z.object({
  what: z.enum(['layers', 'tensors', 'chat template', 'stop tokens', 'token ids', 'kl', 'greedy answers']),
  compared: z.int().describe('How many were compared; 0 if none was'),
  unit: z.string().describe('Of what was counted, in the singular, such as token'),
  with: z.string().describe('What it was compared with or on, in words'),
  difference: z.number().nullable().describe('kl: nats per token; others: how many differ; null: not compared'),
  bound: z.number().nullable().describe('The largest difference that is accepted; null: none'),
  why: z.string().describe('Reason for the bound, or what was not compared and why'),
  verdict: verdictSchema,
});
export type Comparison = z.infer<typeof comparisonSchema>;

export const certificateSchema = z.object({
  version: z.literal(1),
  target: z.string().describe('A target of exports, such as gguf'),
  type: z
    .string()
    .nullable()
    .describe('Type of the weights as it was chosen, such as q4_k_m; null: there is no choice'),
  path: z.string().describe('The written file or folder'),
  files: z.array(
    z.object({
      name: z.string().describe('Relative to the folder'),
      bytes: z.int(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
  base: z.string().describe('The base model as it was named'),
  adapters: z.array(z.object({ folder: z.string(), peft_type: z.string() })),
  run: z.string().nullable().describe('The run folder that one of them is in'),
  reader: z.object({ name: z.string(), version: z.string() }).describe('What has opened the written files'),
  comparisons: z.array(comparisonSchema),
  verdict: verdictSchema,
  installed: installedAnswersSchema.optional().describe('Answers of the program in which it was installed'),
  seconds: z.number().describe('Duration of the comparisons'),
  created: z.string().describe('ISO 8601'),
});
export type Certificate = z.infer<typeof certificateSchema>;

/** The name of an export's certificate. @param name of the written file or folder */
export function certificateName(name: string): string {
  return `${name}.certificate.json`;
}
