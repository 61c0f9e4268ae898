// A prompt and its completion, as texts or as lists of messages. Loss is taken on the completion only.
import type { DatasetFormat } from './datasetFormat.js';
import { readChatFields, readMessages } from './chatFields.js';
import { checkRowKeys } from './lossKeys.js';
import { asList, has, isObject, readText, rowError, questionAndAnswer } from './rowFields.js';

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
  toRow: (messages, like) => {
    if (messageList(like['prompt'])) return { prompt: messages.slice(0, -1), completion: messages.slice(-1) };
    const { question, answer } = questionAndAnswer(messages);
    return { prompt: question, completion: answer };
  },
};

/** A text may begin with a bracket, so only a list of objects counts as messages. */
function messageList(value: unknown): unknown[] | undefined {
  const list = asList(value);
  return list?.every(isObject) && (list.length > 0 || typeof value !== 'string') ? list : undefined;
}
