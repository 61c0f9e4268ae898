// Conversations as ShareGPT exports them: `from` and `value`. Questions (human, observation) and answers (gpt,
// function_call) must alternate, a question first; anything else is an error, since loss would be taken on the wrong side.
import type { ChatMessage, RowSource } from '../example.js';
import type { DatasetFormat } from './datasetFormat.js';
import {
  asList,
  has,
  isObject,
  parseJson,
  readList,
  readOptionalList,
  readOptionalText,
  rowError,
} from './rowFields.js';

/** Value of `from` -> role in chat templates. */
const ROLES: Record<string, string> = {
  system: 'system',
  human: 'user',
  user: 'user',
  observation: 'tool',
  tool: 'tool',
  gpt: 'assistant',
  assistant: 'assistant',
  function_call: 'assistant',
};

export const sharegpt: DatasetFormat = {
  name: 'sharegpt',
  title: 'Conversations (ShareGPT)',
  fields: [
    {
      name: 'conversations',
      required: true,
      description:
        'Turns: [{"from": "human" | "gpt" | "system" | "function_call" | "observation", "value": "..."}, ...]',
    },
    { name: 'system', required: false, description: 'System message' },
    { name: 'tools', required: false, description: 'JSON schemas of the functions that may be called' },
  ],
  detect(row) {
    const first = asList(row.conversations)?.[0];
    return isObject(first) && has(first, 'from') && has(first, 'value');
  },
  parse(row, source) {
    const list = readList(row, 'conversations', source);
    const messages = list.map((turn, index) => readTurn(turn, index, source));
    if (messages.length === 0) throw rowError(source, '"conversations" is empty');
    const system = readOptionalText(row, 'system', source);
    if (system && messages[0].role !== 'system') messages.unshift({ role: 'system', content: system });
    checkOrder(messages, list, source);
    return { kind: 'chat', messages, tools: readOptionalList(row, 'tools', source) };
  },
};

function readTurn(turn: unknown, index: number, source: RowSource): ChatMessage {
  const where = `conversations[${index}]`;
  if (!isObject(turn) || typeof turn.from !== 'string' || typeof turn.value !== 'string') {
    throw rowError(source, `${where} must be {"from": "...", "value": "..."}, both texts`);
  }
  const role = Object.hasOwn(ROLES, turn.from) ? ROLES[turn.from] : undefined;
  if (!role) {
    throw rowError(source, `${where} is from "${turn.from}"`, `Use one of ${Object.keys(ROLES).join(', ')}.`);
  }
  const call = turn.from === 'function_call' ? parseJson(turn.value) : undefined;
  if (call === undefined) return { role, content: turn.value };
  const calls = Array.isArray(call) ? call : [call];
  return { role, content: '', tool_calls: calls.map(item => ({ type: 'function', function: item })) };
}

function checkOrder(messages: ChatMessage[], list: unknown[], source: RowSource): void {
  const turns = messages[0].role === 'system' ? messages.slice(1) : messages;
  const skipped = list.length - turns.length;
  turns.forEach((message, index) => {
    const isAnswer = message.role === 'assistant';
    if (message.role !== 'system' && isAnswer === (index % 2 === 1)) return;
    const expected = index % 2 === 0 ? 'human or observation' : 'gpt or function_call';
    const from = (list[index + skipped] as { from: string }).from;
    throw rowError(
      source,
      `conversations[${index + skipped}] is from "${from}" where ${expected} is expected`,
      'Questions and answers must alternate, starting with a question; "system" is only allowed at the beginning.',
    );
  });
}
