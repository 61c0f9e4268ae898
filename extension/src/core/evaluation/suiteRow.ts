// A row of a suite from a row of a dataset: the question is asked, the answer is expected. Called by `suite` and by `evaluate --dataset --metrics`.
import type { ChatMessage, SequenceExample } from '../data/example.js';
import { isObject, parseJson } from '../data/formats/rowFields.js';
import { checkTypes } from './checks/registry.js';
import { rougeLCheck } from './checks/rougeL.js';
import { toolCall } from './checks/toolCall.js';

/** Checks that need nothing but the expected answer. */
export const CHECKS_OF_EXPECTED = checkTypes.filter(({ usesExpected }) => usesExpected).map(({ type }) => type);

/** The one that also suits long answers. */
export const DEFAULT_CHECK = rougeLCheck.type;

export interface WrittenSuiteRow {
  prompt?: string;
  messages?: Omit<ChatMessage, 'noLoss'>[];
  text?: string;
  tools?: unknown[];
  chat_template_kwargs?: Record<string, unknown>;
  expected?: string;
  checks: object[];
  source?: string;
}

/**
 * @param check of CHECKS_OF_EXPECTED; a call of a function is expected as it is
 * @param source hash of the dataset row, for rows that are kept
 * @returns null if the row has no question with an answer
 */
export function suiteRowOf(
  example: SequenceExample,
  { check, source, hasChatTemplate }: { check: string; source?: string; hasChatTemplate: boolean },
): WrittenSuiteRow | null {
  const checks = [{ type: check }];
  const plain =
    example.kind === 'completion' ? example : example.kind === 'chat' && !hasChatTemplate ? example.plain : null;
  if (plain) {
    const expected = plain.completion.trim();
    return expected === '' || plain.prompt === '' ? null : { text: plain.prompt, expected, checks, source };
  }
  if (example.kind !== 'chat') return null;
  const { messages, tools, templateVariables: variables } = example;
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  if (last < 1) return null;
  const answer = messages[last]!;
  const asked = messages.slice(0, last).map(({ noLoss: _noLoss, ...message }) => message);
  const [only] = asked;
  const question =
    asked.length === 1 && only!.role === 'user' && only!.content ? { prompt: only!.content } : { messages: asked };
  const request = { ...question, ...(tools && { tools }), ...(variables && { chat_template_kwargs: variables }) };
  const call = callOf(answer);
  if (call) return { ...request, checks: [{ type: toolCall.type, ...call }], source };
  const expected = answer.content?.trim() ?? '';
  return expected === '' ? null : { ...request, expected, checks, source };
}

/** The first function that a message calls. */
function callOf({ tool_calls: calls }: ChatMessage): { name: string; arguments: object } | null {
  const [first] = Array.isArray(calls) ? (calls as unknown[]) : [];
  const called = isObject(first) && isObject(first.function) ? first.function : first;
  if (!isObject(called) || typeof called.name !== 'string') return null;
  const written = typeof called.arguments === 'string' ? parseJson(called.arguments) : called.arguments;
  return { name: called.name, arguments: isObject(written) ? written : {} };
}
