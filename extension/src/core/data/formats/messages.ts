// Conversations in the format of OpenAI's API: `role` and `content`, with tools and tool calls. The model's chat template
// decides which order of roles is valid.
import type { DatasetFormat } from './datasetFormat.js';
import { CHAT_FIELDS, readChatFields, readMessages } from './chatFields.js';
import { checkRowKeys } from './lossKeys.js';
import { asList, has, isObject, readList } from './rowFields.js';

export const messages: DatasetFormat = {
  name: 'messages',
  title: 'Conversations (OpenAI messages)',
  fields: [
    {
      name: 'messages',
      required: true,
      aliases: ['conversations', 'conversation'],
      description:
        'Turns: [{"role": "system" | "user" | "assistant" | "tool", "content": "...", "tool_calls": [...]}, ...]; ' +
        '"weight": 0 leaves an answer out of the loss',
    },
    ...CHAT_FIELDS,
  ],
  detect(row) {
    const first = asList(row.messages)?.[0];
    return isObject(first) && has(first, 'role');
  },
  parse(row, source) {
    checkRowKeys(row, source);
    return {
      kind: 'chat',
      messages: readMessages(readList(row, 'messages', source), 'messages', source),
      ...readChatFields(row, source),
    };
  },
  writes: { conversation: ({ messages: turns, tools }) => ({ messages: turns, ...(tools && { tools }) }) },
  newFilesOf: 'conversation',
};
