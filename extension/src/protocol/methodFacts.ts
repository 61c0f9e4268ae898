// What views need to know about a PEFT method in addition to its options, so that none of them compares a `peft_type`: in
// `describe --json`, and under `facts` of each method in the run file's JSON schema.
import * as z from 'zod';

export const exportFormatSchema = z.enum(['gguf', 'mlx']);
export type ExportFormat = z.infer<typeof exportFormatSchema>;

const lowRankSchema = z.object({
  /** Key of the method block that holds the rank r. */
  rank: z.string(),
  /** Pairs of factors [out, r] and [r, in] per matrix; the products of two pairs are multiplied elementwise. */
  pairs: z.union([z.literal(1), z.literal(2)]),
  /** Keys that, if set, make the number of trained parameters depend on more than rank, targets and shapes. */
  uncountable: z.array(z.string()),
});
export type LowRank = z.infer<typeof lowRankSchema>;

export const methodFactsSchema = z.object({
  writes: z.enum(['adapter', 'model']),
  /** Whether its result can be merged into the base. */
  mergeable: z.boolean(),
  /** Formats of other programs to which its result can be exported. */
  exports: z.array(exportFormatSchema),
  /** How to draw its low-rank factors next to a matrix; null if it does not train such factors. */
  low_rank: lowRankSchema.nullable(),
  /** The peak rate proposed for a run, for models of a billion parameters and more; smaller ones: core/runs/proposedRate.ts. */
  learning_rate: z.number().positive(),
});
export type MethodFacts = z.infer<typeof methodFactsSchema>;
