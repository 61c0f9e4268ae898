// Conversations in the format of OpenAI's API: `role` and `content`, with tools and tool calls. The model's chat template
// decides which order of roles is valid.
import type { DatasetFormat } from './datasetFormat.js';
import { asList, has, isObject, readList, readMessages, readOptionalList } from './rowFields.js';

export const messages: DatasetFormat = {
  name: 'messages',
  title: 'Conversations (OpenAI messages)',
  fields: [
    {
      name: 'messages',
      required: true,
      aliases: ['conversations', 'conversation'],
      description:
        'Turns: [{"role": "system" | "user" | "assistant" | "tool", "content": "...", "tool_calls": [...]}, ...]',
    },
    { name: 'tools', required: false, description: 'JSON schemas of the functions that may be called' },
  ],
  detect(row) {
    const first = asList(row.messages)?.[0];
    return isObject(first) && has(first, 'role');
  },
  parse: (row, source) => ({
    kind: 'chat',
    messages: readMessages(readList(row, 'messages', source), 'messages', source),
    tools: readOptionalList(row, 'tools', source),
  }),
};
