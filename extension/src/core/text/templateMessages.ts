// The messages of a row as a chat template gets them: with the reasoning under every name that templates read, and with null
// content and the arguments of tool calls in the form that the template understands. Called by chatTemplate.ts.
import type { ChatMessage } from '../data/example.js';
import { REASONING_KEYS } from '../data/formats/chatFields.js';
import { isObject, parseJson } from '../data/formats/rowFields.js';
import { JinjaTemplate } from './jinja/jinjaTemplate.js';

/** How messages are given to a template where rows and templates differ. */
export interface MessageForm {
  /** `arguments` of tool calls: as the row has them, all as objects, or all as JSON text. */
  callArguments: 'given' | 'objects' | 'texts';
  /** Content that is null: without the key, as Transformers does; as null, which older templates test for; or as an empty text. */
  nullContent: 'absent' | 'null' | 'empty';
}

/**
 * The forms to try, in order. The first is what Transformers passes; the others are for templates that fail on it, that write
 * the text of arguments as a quoted JSON string, or that leave the calls out.
 */
export function messageForms(messages: readonly ChatMessage[]): MessageForm[] {
  const given = callsOf(messages).map(call => call.arguments);
  const callArguments: MessageForm['callArguments'][] = ['given'];
  if (given.some(value => typeof value === 'string' && isObject(parseJson(value)))) callArguments.push('objects');
  if (given.some(value => isObject(value))) callArguments.push('texts');
  const nullContent: MessageForm['nullContent'][] = ['absent'];
  if (messages.some(message => message.content === null)) nullContent.push('null', 'empty');
  return nullContent.flatMap(content => callArguments.map(form => ({ callArguments: form, nullContent: content })));
}

/** As Python's json.dumps(ensure_ascii=False). */
const TO_JSON = new JinjaTemplate('{{ value | tojson }}');

export function templateMessages(
  messages: readonly ChatMessage[],
  { callArguments, nullContent }: MessageForm,
): Record<string, unknown>[] {
  const convert = (value: unknown): unknown => {
    if (callArguments === 'texts' && isObject(value)) return TO_JSON.render({ value }).text;
    const parsed = callArguments === 'objects' && typeof value === 'string' ? parseJson(value) : undefined;
    return isObject(parsed) ? parsed : value;
  };
  return messages.map(({ noLoss: _noLoss, content, ...others }) => {
    const message: Record<string, unknown> = { ...others };
    if (content !== null || nullContent === 'null') message.content = content;
    else if (nullContent === 'empty') message.content = '';
    if (Array.isArray(others.tool_calls) && callArguments !== 'given') {
      message.tool_calls = others.tool_calls.map(call => {
        const target = functionOf(call);
        if (!target || !isObject(call)) return call;
        const converted = { ...target, arguments: convert(target.arguments) };
        return call.function === target ? { ...call, function: converted } : converted;
      });
    }
    return withReasoning(message);
  });
}

/** As Transformers' `_alias_reasoning_fields`: templates read `reasoning_content`, those of gpt-oss `thinking`. */
function withReasoning(message: Record<string, unknown>): Record<string, unknown> {
  const key = REASONING_KEYS.find(name => message[name] !== undefined && message[name] !== null);
  if (!key) return message;
  const reasoning = message[key];
  return { thinking: reasoning, ...message, reasoning_content: reasoning };
}

/** Whether arguments that the row has as text appear in `text` as a JSON string: quoted and escaped a second time. */
export function quotesArguments(
  messages: readonly ChatMessage[],
  text: string,
  { callArguments }: MessageForm,
): boolean {
  if (callArguments !== 'given') return false;
  return callsOf(messages).some(
    ({ arguments: given }) =>
      typeof given === 'string' && isObject(parseJson(given)) && text.includes(JSON.stringify(given)),
  );
}

function callsOf(messages: readonly ChatMessage[]): Record<string, unknown>[] {
  return messages.flatMap(({ tool_calls: calls }) =>
    Array.isArray(calls) ? calls.map(functionOf).filter(call => call !== undefined) : [],
  );
}

/** The function of a call: OpenAI nests it, Mistral's and other tools' rows have it directly. */
function functionOf(call: unknown): Record<string, unknown> | undefined {
  if (!isObject(call)) return undefined;
  if (isObject(call.function)) return call.function;
  return call.arguments === undefined ? undefined : call;
}
