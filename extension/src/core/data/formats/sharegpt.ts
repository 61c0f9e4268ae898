// Conversations as ShareGPT exports them: `from` and `value`. Turns may have any order, as in `messages`: the model's chat template
// decides which order is valid.
import type { ChatMessage, RowSource } from '../example.js';
import type { DatasetFormat } from './datasetFormat.js';
import { readParts, readTemplateVariables, readTools, reasoningOf } from './chatFields.js';
import { checkRowKeys, turnTakesLoss } from './lossKeys.js';
import { chatRole, isCall, ROLE_NAMES } from './roles.js';
import { asList, has, isObject, parseJson, readList, readOptionalText, rowError } from './rowFields.js';

export const sharegpt: DatasetFormat = {
  name: 'sharegpt',
  title: 'Conversations (ShareGPT)',
  fields: [
    {
      name: 'conversations',
      required: true,
      aliases: ['conversation', 'messages'],
      description:
        'Turns: [{"from": "human" | "gpt" | "system" | "function_call" | "observation", "value": "..."}, ...]; ' +
        '"weight": 0 leaves an answer out of the loss',
    },
    { name: 'system', required: false, description: 'System message' },
    { name: 'tools', required: false, description: 'JSON schemas of the functions that may be called' },
    {
      name: 'chat_template_kwargs',
      required: false,
      description: 'Variables of the chat template, such as enable_thinking',
    },
  ],
  detect(row) {
    const first = asList(row.conversations)?.[0];
    return isObject(first) && has(first, 'from') && has(first, 'value');
  },
  parse(row, source) {
    checkRowKeys(row, source);
    const list = readList(row, 'conversations', source);
    const messages = list.map((turn, index) => readTurn(turn, index, source));
    if (messages.length === 0) throw rowError(source, '"conversations" is empty');
    const system = readOptionalText(row, 'system', source);
    if (system && messages[0].role !== 'system') messages.unshift({ role: 'system', content: system });
    const tools = readTools(row, source);
    return { kind: 'chat', messages, tools, templateVariables: readTemplateVariables(row, source) };
  },
};

function readTurn(turn: unknown, index: number, source: RowSource): ChatMessage {
  const where = `conversations[${index}]`;
  if (
    !isObject(turn) ||
    typeof turn.from !== 'string' ||
    (typeof turn.value !== 'string' && !Array.isArray(turn.value))
  ) {
    throw rowError(source, `${where} must be {"from": "...", "value": "..."}, both texts`);
  }
  const role = chatRole(turn.from);
  if (!role) throw rowError(source, `${where} is from "${turn.from}"`, `Use one of ${ROLE_NAMES.join(', ')}.`);
  const marks = {
    ...reasoningOf(turn),
    ...(asList(turn.tool_calls) && { tool_calls: asList(turn.tool_calls) }),
    ...(turnTakesLoss(turn, role, where, source) ? {} : { noLoss: true as const }),
  };
  const call = isCall(turn.from) && typeof turn.value === 'string' ? parseJson(turn.value) : undefined;
  if (call === undefined) return { role, ...readParts(turn.value, `${where}.value`, turn, source), ...marks };
  const calls = Array.isArray(call) ? call : [call];
  return { role, content: '', tool_calls: calls.map(item => ({ type: 'function', function: item })), ...marks };
}
