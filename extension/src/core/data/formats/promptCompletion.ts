// A prompt and its completion, as texts or as lists of messages. Loss is taken on the completion only.
import { InputError } from '../../inputError.js';
import type { Row } from '../example.js';
import type { Conversation, DatasetFormat } from './datasetFormat.js';
import { messageList, readChatFields, readMessages, singleText } from './chatFields.js';
import { checkRowKeys } from './lossKeys.js';
import { has, readText, rowError } from './rowFields.js';

export const promptCompletion: DatasetFormat = {
  name: 'prompt_completion',
  title: 'Prompt and completion',
  fields: [
    { name: 'prompt', required: true, description: 'The context: a text, or messages' },
    {
      name: 'completion',
      required: true,
      description: 'What to train on: a text that continues the prompt, or messages',
    },
    { name: 'tools', required: false, description: 'With messages: JSON schemas of the functions that may be called' },
    { name: 'chat_template_kwargs', required: false, description: 'With messages: variables of the chat template' },
  ],
  detect: row => has(row, 'prompt') && has(row, 'completion'),
  parse(row, source) {
    checkRowKeys(row, source);
    const prompt = messageList(row.prompt);
    const completion = messageList(row.completion);
    if (!prompt && !completion) {
      const texts = { prompt: readText(row, 'prompt', source), completion: readText(row, 'completion', source) };
      return { kind: 'completion', ...texts };
    }
    if (!prompt || !completion) {
      throw rowError(source, '"prompt" and "completion" must both be texts or both be lists of messages');
    }
    const context = readMessages(prompt, 'prompt', source);
    return {
      kind: 'chat',
      messages: [...context, ...readMessages(completion, 'completion', source)],
      trainFrom: context.length,
      ...readChatFields(row, source),
    };
  },
  writes: { conversation: write },
};

/** Texts or messages, as the first rows have them. The last answer is the completion. */
function write({ messages, tools }: Conversation, first: readonly Row[]): Row {
  const prompt = messages.slice(0, -1);
  const completion = messages.slice(-1);
  if (prompt.length === 0 || completion[0]!.role !== 'assistant') {
    throw new InputError('the last turn of the conversation must be an answer to an earlier one');
  }
  const known = first.find(row => has(row, 'prompt'));
  if (!known || messageList(known.prompt)) return { prompt, completion, ...(tools && { tools }) };
  if (tools) throw new InputError('a text has no place for the functions that may be called');
  return {
    prompt: singleText(prompt, 'user', 'prompt'),
    completion: singleText(completion, 'assistant', 'completion'),
  };
}
