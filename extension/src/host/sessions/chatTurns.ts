// Messages of the editor's language model API as turns of a conversation. Pure.
import type { ChatTurn } from '../../protocol/sessionMessages.js';
import type { RequestMessage, TextPart, ToolCallPart, ToolResultPart } from './chatProviderApi.js';

/** The value of vscode.LanguageModelChatMessageRole.Assistant; there is only one other role, the user's. */
const ASSISTANT = 2;

/**
 * Consecutive messages of one role become one turn, since many chat templates want user and assistant to alternate. Parts that
 * aren't text, tool calls or their results (images, data) are left out.
 */
export function chatTurns(messages: readonly RequestMessage[]): ChatTurn[] {
  return messages.flatMap(turnsOf).reduce<ChatTurn[]>((turns, turn) => {
    const last = turns.at(-1);
    if (!last || !isPlain(last) || !isPlain(turn) || last.role !== turn.role) return [...turns, turn];
    return [...turns.slice(0, -1), { ...last, content: `${last.content}\n\n${turn.content}` }];
  }, []);
}

/**
 * A message alone, for counting its tokens: as a user's, since many templates reject a conversation that begins with another role.
 * Null if there is nothing in it that a model reads.
 */
export function countedTurn(message: RequestMessage): ChatTurn | null {
  const parts = turnsOf(message).flatMap(({ content, tool_calls: calls }) => [
    ...(content === null ? [] : [content]),
    ...(calls === undefined ? [] : [JSON.stringify(calls)]),
  ]);
  return parts.length === 0 ? null : { role: 'user', content: parts.join('\n\n') };
}

const isPlain = ({ role, tool_calls: calls }: ChatTurn): boolean => role !== 'tool' && calls === undefined;

function turnsOf({ role, content }: RequestMessage): ChatTurn[] {
  const results = content.filter(isToolResult).map(({ callId, content: result }) => ({
    role: 'tool',
    tool_call_id: callId,
    content: textOf(result),
  }));
  const calls = content.filter(isToolCall).map(({ callId, name, input }) => ({
    id: callId,
    type: 'function',
    function: { name, arguments: JSON.stringify(input) },
  }));
  const text = textOf(content);
  if (calls.length > 0)
    return [...results, { role: 'assistant', content: text === '' ? null : text, tool_calls: calls }];
  if (text === '') return results;
  return [...results, { role: role === ASSISTANT ? 'assistant' : 'user', content: text }];
}

function textOf(parts: readonly unknown[]): string {
  return parts
    .filter(isText)
    .map(({ value }) => value)
    .join('');
}

function isText(part: unknown): part is TextPart {
  return has(part, 'value') && typeof part.value === 'string';
}

function isToolCall(part: unknown): part is ToolCallPart {
  return has(part, 'callId') && has(part, 'name') && has(part, 'input');
}

function isToolResult(part: unknown): part is ToolResultPart {
  return has(part, 'callId') && has(part, 'content') && Array.isArray(part.content);
}

function has<K extends string>(part: unknown, key: K): part is Record<K, unknown> {
  return typeof part === 'object' && part !== null && key in part;
}
