// What screens have to know of a PEFT method beside its options, so that none of them compares a `peft_type`: in `describe
// --json`, and under `facts` of each method in the run file's JSON schema.
import * as z from 'zod';

export const exportFormatSchema = z.enum(['gguf', 'mlx']);
export type ExportFormat = z.infer<typeof exportFormatSchema>;

const lowRankSchema = z.object({
  /** Key of the method block that is the rank r. */
  rank: z.string(),
  /** Pairs of factors [out, r] and [r, in] that a matrix gets; the products of two are multiplied entry by entry. */
  pairs: z.union([z.literal(1), z.literal(2)]),
  /** Keys with which the number of trained parameters no longer follows from rank, targets and shapes alone. */
  uncountable: z.array(z.string()),
});
export type LowRank = z.infer<typeof lowRankSchema>;

export const methodFactsSchema = z.object({
  writes: z.enum(['adapter', 'model']),
  /** Whether what it writes can be folded into its base. */
  mergeable: z.boolean(),
  /** Formats of other programs that what it writes can be exported to. */
  exports: z.array(exportFormatSchema),
  /** How to draw what it trains beside a matrix; null: it is no pair of trained low-rank factors. */
  low_rank: lowRankSchema.nullable(),
});
export type MethodFacts = z.infer<typeof methodFactsSchema>;
