// Conversations as ShareGPT exports them: `from` and `value`. Turns may have any order, as in `messages`: the model's chat template
// decides which order is valid.
import type { ChatMessage, RowSource } from '../example.js';
import type { DatasetFormat } from './datasetFormat.js';
import { callsIn, CHAT_FIELDS, readChatFields, readParts, reasoningOf } from './chatFields.js';
import { checkRowKeys, withLoss } from './lossKeys.js';
import { chatRole, ROLE_NAMES } from './roles.js';
import { asList, has, isObject, readList, readOptionalText, rowError } from './rowFields.js';

/** Names of roles in rows that are added. */
const WRITTEN_ROLES: Record<string, string> = { user: 'human', assistant: 'gpt' };

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
    ...CHAT_FIELDS,
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
    return { kind: 'chat', messages, ...readChatFields(row, source) };
  },
  toRow: messages => ({
    conversations: messages.map(({ role, content }) => ({ from: WRITTEN_ROLES[role] ?? role, value: content ?? '' })),
  }),
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
  const written = callsIn(turn.from, turn.value);
  const calls = asList(turn.tool_calls);
  const message: ChatMessage = {
    role,
    ...(written ? { content: '', tool_calls: written } : readParts(turn.value, `${where}.value`, turn, source)),
    ...reasoningOf(turn),
    ...(calls && { tool_calls: calls }),
  };
  return withLoss(message, turn, where, source);
}
