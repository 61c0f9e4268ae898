// The interface of a check: one file in this folder implements it, one line in registry.ts lists it. The schema of suites, their
// documentation and the contract tests are generated from it. Pure.
import type * as z from 'zod';

/** What a model answered, as far as checks look at it. */
export interface CheckedAnswer {
  text: string;
  toolCalls: readonly { name: string; /** JSON text of an object. */ arguments: string }[];
  /** Tokens of the answer, with those of its reasoning. */
  tokens: number;
}

export interface Verdict {
  passed: boolean;
  /** 0 to 1. */
  score: number;
  /** Why it isn't passed, as part of a sentence. */
  reason?: string;
}

export type Judge = (answer: CheckedAnswer) => Verdict;

export interface CheckType<Schema extends z.ZodType = z.ZodType> {
  /** As in `type` of a check. */
  readonly type: string;
  readonly title: string;
  /** What passes and what doesn't, for editors and `describe`. */
  readonly description: string;
  /** Of the check's other keys. */
  readonly schema: Schema;
  /** Whether `value` may be left out and is the row's `expected` then. */
  readonly usesExpected?: true;
  /** For completion in editors and for tests. */
  readonly example: { options: z.input<Schema>; passes: ExampleAnswer; fails: ExampleAnswer };
  /**
   * Reads the options once for all models.
   * @throws InputError, with the option as `key`, if no answer could be judged by them
   */
  prepare(options: z.infer<Schema>): Judge;
}

type ExampleAnswer = string | CheckedAnswer;

/** Types `prepare` and `example` by the schema. */
export function checkType<Schema extends z.ZodType>(type: CheckType<Schema>): CheckType {
  return type as unknown as CheckType;
}

/** The verdict of a check that knows no half. */
export function passedIf(passed: boolean, reason: string): Verdict {
  return passed ? { passed, score: 1 } : { passed, score: 0, reason };
}

/** A text as part of a reason. */
export function quoted(text: string): string {
  const shown = JSON.stringify(text);
  return shown.length > 80 ? `${shown.slice(0, 77)}..."` : shown;
}
