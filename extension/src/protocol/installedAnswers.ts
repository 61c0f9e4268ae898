// What a model answers in the program in which it was installed, beside what it answers here. Part of the certificate of an export.
import * as z from 'zod';

export const installedAnswersSchema = z.object({
  program: z.string().describe('Such as Ollama'),
  version: z.string().nullable(),
  model: z.string().describe('Its name there'),
  answers: z.array(
    z.object({
      prompt: z.string(),
      ours: z.string().describe('Of base and adapters, here'),
      file: z
        .string()
        .nullable()
        .describe('Of the written file, here; null: not asked, because the other two are alike'),
      theirs: z.string(),
      same: z.boolean().describe('Whether theirs is ours'),
    }),
  ),
  /** Why answers differ, as far as that is known. Programs may write a conversation otherwise and still give the same answers. */
  differences: z.array(
    z.object({
      cause: z.enum(['template', 'stop', 'rounding', 'arithmetic']),
      text: z.string(),
    }),
  ),
  not_asked: z.string().nullable().describe('Why it wasn’t asked; null: it was'),
});
export type InstalledAnswers = z.infer<typeof installedAnswersSchema>;
