// Conversations as ShareGPT exports them: `from` and `value`. Turns may have any order, as in `messages`: the model's chat template
// decides which order is valid.
import { InputError } from '../../inputError.js';
import type { ChatMessage, Row, RowSource } from '../example.js';
import type { Conversation, DatasetFormat } from './datasetFormat.js';
import { callsIn, CHAT_FIELDS, readChatFields, readParts, REASONING_KEYS, reasoningOf } from './chatFields.js';
import { checkRowKeys, withLoss } from './lossKeys.js';
import { chatRole, isCall, ROLE_NAMES, type ChatRole } from './roles.js';
import { asList, has, isObject, readList, readOptionalText, rowError } from './rowFields.js';

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
  writes: { conversation: write },
};

/** The usual names of speakers, where no row of a file has another. */
const USUAL_NAMES: Readonly<Record<ChatRole, string>> = {
  system: 'system',
  user: 'human',
  assistant: 'gpt',
  tool: 'observation',
};

/** Keys of a message that a turn can have; ids of calls are left out, as ShareGPT has none. */
const TURN_KEYS = ['tool_calls', 'weight', ...REASONING_KEYS];
const LEFT_OUT = ['role', 'content', 'tool_call_id'];

function write({ messages, tools }: Conversation, first: readonly Row[]): Row {
  const names = namesIn(first);
  const turns = messages.map(message => {
    const role = chatRole(message.role);
    const isSet = (key: string) => message[key] !== null && message[key] !== undefined;
    const other = Object.keys(message).find(key => isSet(key) && ![...TURN_KEYS, ...LEFT_OUT].includes(key));
    if (!role || other !== undefined) {
      const what = role ? `the key "${other}" of a turn` : `the role "${message.role}"`;
      throw new InputError(`the format sharegpt has no place for ${what}`);
    }
    const kept = Object.fromEntries(TURN_KEYS.filter(isSet).map(key => [key, message[key]]));
    return { from: names[role], value: message.content ?? '', ...kept };
  });
  const isField = messages[0]?.role === 'system' && first.some(row => has(row, 'system'));
  const system = isField ? { system: messages[0]!.content } : {};
  return { ...system, conversations: isField ? turns.slice(1) : turns, ...(tools && { tools }) };
}

/** The first name of each role in these rows, except of speakers that call. */
function namesIn(rows: readonly Row[]): Record<ChatRole, string> {
  const names: Partial<Record<ChatRole, string>> = {};
  for (const turn of rows.flatMap(row => asList(row.conversations) ?? [])) {
    const name = isObject(turn) && typeof turn.from === 'string' ? turn.from : null;
    const role = name === null || isCall(name) ? null : chatRole(name);
    if (role) names[role] ??= name!;
  }
  return { ...USUAL_NAMES, ...names };
}

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
