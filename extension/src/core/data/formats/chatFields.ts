// Reads the fields of conversations for the formats in this folder: messages with their parts, reasoning and tool calls, tools,
// and variables of the template. What a row has reaches the chat template unchanged (text/templateMessages.ts).
import { InputError } from '../../inputError.js';
import type { ChatMessage, Row, RowSource } from '../example.js';
import { writeJsonText } from '../jsonText.js';
import type { FormatField } from './datasetFormat.js';
import { withLoss } from './lossKeys.js';
import { chatRole, isCall } from './roles.js';
import { asList, has, isObject, kindOf, parseJson, readOptionalList, rowError } from './rowFields.js';

/** The names under which tools write an answer's reasoning, as in Transformers; the first is the one that most templates read. */
export const REASONING_KEYS = ['reasoning_content', 'thinking', 'reasoning'] as const;

/** Messages as OpenAI writes them. `field` is named in errors. */
export function readMessages(list: unknown[], field: string, source: RowSource): ChatMessage[] {
  if (list.length === 0) throw rowError(source, `"${field}" is empty`);
  return list.map((item, index) => readMessage(item, `${field}[${index}]`, source));
}

function readMessage(item: unknown, where: string, source: RowSource): ChatMessage {
  if (!isObject(item)) throw rowError(source, `${where} must be {"role", "content"}, but is ${kindOf(item)}`);
  const { content: _content, ...others } = item;
  // Parquet gives every message the keys of all, null where unset; templates test whether a key exists.
  const message = Object.fromEntries(
    Object.entries(others).filter(([, value]) => value !== null && value !== undefined),
  );
  if (typeof message.role !== 'string' || message.role === '') throw rowError(source, `${where} has no "role"`);
  const role = chatRole(message.role) ?? message.role;
  const calls = asList(message.tool_calls);
  if (calls) message.tool_calls = calls;
  if (isObject(message.function_call)) {
    // OpenAI's form before tools.
    message.tool_calls = [{ type: 'function', function: message.function_call }];
    delete message.function_call;
  }
  const written = callsIn(message.role, item.content);
  if (written) return withLoss({ ...message, tool_calls: written, role, content: '' }, item, where, source);
  const content = readContent(item, where, source, message.tool_calls !== undefined);
  return withLoss({ ...message, role, ...content }, item, where, source);
}

/** Of a speaker that calls tools: one call or several as the text, as ms-swift writes them. */
export function callsIn(speaker: string, text: unknown): unknown[] | undefined {
  const written = isCall(speaker) && typeof text === 'string' ? parseJson(text) : undefined;
  if (written === undefined) return undefined;
  return (Array.isArray(written) ? written : [written]).map(call => ({ type: 'function', function: call }));
}

/**
 * Content and reasoning of a message or turn, from a text or a list of parts.
 * @param mayBeNull whether it may have no content, because it calls tools
 */
function readContent(
  message: Row,
  where: string,
  source: RowSource,
  mayBeNull: boolean,
): Pick<ChatMessage, 'content'> & { reasoning_content?: string } {
  const { content } = message;
  if (content === null || content === undefined) {
    if (mayBeNull) return { content: null };
    throw rowError(source, `${where} has no "content"`);
  }
  return readParts(content, `${where}.content`, message, source);
}

/** @param value a text, or parts such as {"type": "text", "text": "..."} and {"type": "thinking", "thinking": "..."} */
export function readParts(
  value: unknown,
  where: string,
  message: Row,
  source: RowSource,
): { content: string; reasoning_content?: string } {
  if (typeof value === 'string') return { content: value };
  if (!Array.isArray(value)) {
    throw rowError(source, `${where} must be a text or a list of parts, but is ${kindOf(value)}`);
  }
  const texts: string[] = [];
  const reasoning: string[] = [];
  for (const part of value) {
    const type = isObject(part) ? part.type : 'text';
    const text = typeof part === 'string' ? part : isObject(part) ? textOfPart(part) : undefined;
    if (type === 'text' && text !== undefined) texts.push(text);
    else if ((type === 'thinking' || type === 'reasoning') && text !== undefined) reasoning.push(text);
    else {
      const kind = isObject(part) ? writeJsonText(part.type) : kindOf(part);
      throw rowError(source, `${where} has a part that isn't text (${kind})`, 'Only text can be trained on.');
    }
  }
  if (reasoning.length === 0) return { content: texts.join('') };
  const twice = REASONING_KEYS.find(key => has(message, key));
  if (twice)
    throw rowError(source, `the reasoning is both in "${twice}" and in a part of ${where}`, 'Keep one of them.');
  return { content: texts.join(''), reasoning_content: reasoning.join('') };
}

/** LLaMA-Factory v1 writes the text of every part under `value`, others under the part's type. */
function textOfPart(part: Record<string, unknown>): string | undefined {
  const text = part[part.type as string] ?? part.text ?? part.value;
  return typeof text === 'string' ? text : undefined;
}

/** Reasoning under whichever key the turn has it. */
export function reasoningOf(turn: Row): Record<string, unknown> {
  return Object.fromEntries(REASONING_KEYS.filter(key => has(turn, key)).map(key => [key, turn[key]]));
}

/** A text may begin with a bracket, so only a list of objects counts as messages. */
export function messageList(value: unknown): unknown[] | undefined {
  const list = asList(value);
  return list?.every(isObject) && (list.length > 0 || typeof value !== 'string') ? list : undefined;
}

/**
 * The text of a single message that has nothing else, for rows that hold texts.
 * @param what it is, for the error
 * @throws InputError for several messages, another role, reasoning and calls
 */
export function singleText(messages: readonly ChatMessage[], role: string, what: string): string {
  const [message, ...more] = messages;
  if (!message || more.length > 0 || message.role !== role) {
    throw new InputError(`the ${what} is a text in this file, which can't hold a system prompt or several turns`, {
      hint: 'Choose a dataset of conversations.',
    });
  }
  return textOf(message, what);
}

/** The content of a turn that has nothing else. @throws InputError for reasoning, calls and other keys */
export function textOf(message: ChatMessage, what: string): string {
  const isOther = (key: string) => !['role', 'content'].includes(key) && has(message, key);
  const other = Object.keys(message).find(isOther);
  if (other === undefined && message.content !== null) return message.content;
  throw new InputError(`the ${what} is a text in this file, which can't hold "${other ?? 'content: null'}"`, {
    hint: 'Choose a dataset of conversations.',
  });
}

/** Fields of a conversation next to its turns. */
export const CHAT_FIELDS: readonly FormatField[] = [
  { name: 'tools', required: false, description: 'JSON schemas of the functions that may be called' },
  {
    name: 'chat_template_kwargs',
    required: false,
    description: 'Variables of the chat template, such as enable_thinking',
  },
];

export function readChatFields(row: Row, source: RowSource) {
  return { tools: readTools(row, source), templateVariables: readTemplateVariables(row, source) };
}

/** JSON schemas of functions: `tools`, or OpenAI's older `functions`. */
function readTools(row: Row, source: RowSource): unknown[] | undefined {
  const tools = readOptionalList(row, 'tools', source);
  if (tools) return tools.map(tool => (typeof tool === 'string' ? (parseJson(tool) ?? tool) : tool));
  return readOptionalList(row, 'functions', source)?.map(schema => ({ type: 'function', function: schema }));
}

/** TRL's `chat_template_kwargs`: variables that the row sets in the template. */
function readTemplateVariables(row: Row, source: RowSource): Record<string, unknown> | undefined {
  const value = row.chat_template_kwargs;
  if (!has(row, 'chat_template_kwargs') || value === '') return undefined;
  const variables = typeof value === 'string' ? parseJson(value) : value;
  if (!isObject(variables)) {
    throw rowError(source, `"chat_template_kwargs" must be an object, but is ${kindOf(value)}`);
  }
  return variables;
}
