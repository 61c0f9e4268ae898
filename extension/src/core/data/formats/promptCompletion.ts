// A prompt and what follows it, as texts or as lists of messages. The loss falls on the completion only.
import type { DatasetFormat } from './datasetFormat.js';
import { asList, has, isObject, readMessages, readOptionalList, readText, rowError } from './rowFields.js';

export const promptCompletion: DatasetFormat = {
  name: 'prompt_completion',
  title: 'Prompt and completion',
  fields: [
    { name: 'prompt', required: true, description: 'What is given: a text, or messages' },
    {
      name: 'completion',
      required: true,
      description: 'What is learnt: a text that goes on from the prompt, or messages',
    },
    { name: 'tools', required: false, description: 'With messages: JSON schemas of the functions that may be called' },
  ],
  detect: row => has(row, 'prompt') && has(row, 'completion'),
  parse(row, source) {
    const prompt = messageList(row.prompt);
    const completion = messageList(row.completion);
    if (!prompt && !completion) {
      const texts = { prompt: readText(row, 'prompt', source), completion: readText(row, 'completion', source) };
      return { kind: 'completion', ...texts };
    }
    if (!prompt || !completion) {
      throw rowError(source, '"prompt" and "completion" must both be texts or both be lists of messages');
    }
    const given = readMessages(prompt, 'prompt', source);
    return {
      kind: 'chat',
      messages: [...given, ...readMessages(completion, 'completion', source)],
      trainFrom: given.length,
      tools: readOptionalList(row, 'tools', source),
    };
  },
};

/** A text may begin with a bracket: only a list of objects is a list of messages. */
function messageList(value: unknown): unknown[] | undefined {
  const list = asList(value);
  return list?.every(isObject) && (list.length > 0 || typeof value !== 'string') ? list : undefined;
}
