// Evaluation suites, `*.eval.jsonl`: a row is a conversation to answer and the checks of the answer. Read by `evaluate` and by the
// editor, which get the same errors from here. Pure.
import * as z from 'zod';
import { about } from '../../protocol/about.js';
import { chatTurnSchema, type GenerationInput } from '../../protocol/sessionMessages.js';
import type { Row, RowSource } from '../data/example.js';
import { writeJsonText } from '../data/jsonText.js';
import { schemaError, suggestion } from '../forms/zodSchema.js';
import { InputError } from '../inputError.js';
import type { Judge } from './checks/check.js';
import { checkTypes } from './checks/registry.js';

/** Tokens of an answer if the row doesn't say: as in `generate`. */
const MAX_NEW_TOKENS = 128;

const SOURCE = /^sha256:[0-9a-f]{64}$/;

/** A row without the keys of its checks, which have schemas of their own. */
export const suiteRowSchema = z.strictObject({
  id: z
    .union([z.string().min(1), z.int()])
    .optional()
    .meta(about('Id', 'Name of the row in results; by default its line')),
  prompt: z.string().min(1).optional().meta(about('Prompt', 'What the user says')),
  messages: z
    .array(chatTurnSchema)
    .min(1)
    .optional()
    .meta(about('Messages', 'The conversation to answer, as {"role", "content"}, instead of a prompt')),
  text: z
    .string()
    .min(1)
    .optional()
    .meta(about('Text', 'Instead of a prompt, a text to continue as it is, without the chat template')),
  tools: z
    .array(z.record(z.string(), z.unknown()))
    .optional()
    .meta(about('Tools', 'JSON schemas of the functions that may be called')),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .optional()
    .meta(about('Template variables', 'Variables of the chat template, such as enable_thinking')),
  expected: z
    .string()
    .optional()
    .meta(
      about('Expected', 'The right answer: the value of checks that have none, and what answers are shown against'),
    ),
  checks: z
    .array(z.looseObject({ type: z.string() }))
    .min(1)
    .meta(about('Checks', 'What the answer must meet; the row is passed if it meets all')),
  max_new_tokens: z.int().positive().default(MAX_NEW_TOKENS).meta(about('Max new tokens', 'Longest answer in tokens')),
  source: z
    .string()
    .refine(hash => SOURCE.test(hash), 'must be "sha256:" and 64 hexadecimal digits')
    .optional()
    .meta(
      about(
        'Source',
        'Hash of the dataset row that this one was made from, which no model under test may have been trained on',
      ),
    ),
});

export interface SuiteCheck {
  type: string;
  /** The text that it compares the answer with; null for checks without one. */
  expected: string | null;
  judge: Judge;
}

/** As a session gets it: a conversation to answer, or a text to continue. */
export type Question = Pick<GenerationInput, 'messages' | 'prompt' | 'tools' | 'template_variables'>;

export interface SuiteRow {
  id: string;
  at: RowSource;
  question: Question;
  expected: string | null;
  checks: SuiteCheck[];
  maxNewTokens: number;
  source: string | null;
}

/**
 * @param row of the file
 * @throws InputError with file, line and key for whatever is wrong with the row
 */
export function parseSuiteRow(row: Row, at: RowSource): SuiteRow {
  // Without the boxed numbers and big integers by which rows keep how they are written.
  const value = JSON.parse(writeJsonText(row)) as Row;
  const parsed = suiteRowSchema.safeParse(value);
  if (!parsed.success) throw schemaError(parsed.error, suiteRowSchema, value, at);
  const { id, expected, checks, max_new_tokens: maxNewTokens, source } = parsed.data;
  return {
    id: id === undefined ? `line ${at.line}` : String(id),
    at,
    question: questionOf(parsed.data, at),
    expected: expected ?? null,
    checks: checks.map((check, i) => parseCheck(check, expected, `checks.${i}`, at)),
    maxNewTokens,
    source: source ?? null,
  };
}

const QUESTIONS = ['prompt', 'messages', 'text'] as const;

/**
 * What the model is asked: a conversation, or a text to continue.
 * @throws InputError unless the row has exactly one of them, without its answer
 */
export function questionOf(
  row: Pick<z.infer<typeof suiteRowSchema>, 'prompt' | 'messages' | 'text' | 'tools' | 'chat_template_kwargs'>,
  at: RowSource,
): Question {
  const { prompt, messages, text, tools, chat_template_kwargs: variables } = row;
  const [given, second] = QUESTIONS.filter(key => row[key] !== undefined);
  if (given === undefined || second !== undefined)
    throw new InputError(given === undefined ? 'there is no prompt' : `there are both "${given}" and "${second}"`, {
      ...at,
      key: second ?? 'prompt',
      hint: 'Write either "prompt" for one question, "messages" for a conversation, or "text" for a text to continue.',
    });
  if (text !== undefined) return { prompt: text };
  if (messages?.at(-1)!.role === 'assistant')
    throw new InputError('the last message is the assistant’s, so there is nothing to answer', {
      ...at,
      key: `messages.${messages.length - 1}`,
      hint: 'End the conversation before the answer, and write the answer into "expected".',
    });
  return {
    messages: messages ?? [{ role: 'user', content: prompt! }],
    ...(tools && { tools }),
    ...(variables && { template_variables: variables }),
  };
}

function parseCheck(
  { type, ...options }: { type: string } & Row,
  expected: string | undefined,
  block: string,
  at: RowSource,
): SuiteCheck {
  const found = checkTypes.find(known => known.type === type);
  if (!found) {
    const known = checkTypes.map(check => check.type);
    throw new InputError(`unknown check ${JSON.stringify(type)}; ${suggestion(type, known)}`, {
      ...at,
      key: `${block}.type`,
      hint: `Known checks: ${known.join(', ')}.`,
    });
  }
  if (found.usesExpected && options.value === undefined) {
    if (expected === undefined)
      throw new InputError('is missing, and the row has no "expected" to use instead', {
        ...at,
        key: `${block}.value`,
        hint: 'Write the value of the check, or "expected" into the row.',
      });
    options = { ...options, value: expected };
  }
  const parsed = found.schema.safeParse(options);
  if (!parsed.success) throw schemaError(parsed.error, found.schema, options, { ...at, block, otherKeys: ['type'] });
  try {
    const expects = found.usesExpected && typeof options.value === 'string' ? options.value : null;
    return { type, expected: expects, judge: found.prepare(parsed.data) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { key, ...details } = error.record();
    throw new InputError(error.message, { ...details, ...at, key: key === undefined ? block : `${block}.${key}` });
  }
}

/**
 * @param lines of the ids of the rows before it, to which this one's is added
 * @throws InputError for a row with the id of another one, by which results could not be told apart
 */
export function checkId({ id, at }: SuiteRow, lines: Map<string, number>): void {
  const other = lines.get(id);
  if (other !== undefined)
    throw new InputError(`the id ${JSON.stringify(id)} is that of line ${other} too`, {
      ...at,
      key: 'id',
      hint: 'Give each row an id of its own, or leave all out.',
    });
  lines.set(id, at.line);
}
