// Answers without text, from which the model learns to say nothing: for the preview and for the warning of a run. Pure.
import type { ChatMessage, SequenceExample } from './example.js';
import { REASONING_KEYS } from './formats/chatFields.js';

/** What is empty, as "message 2 is an empty answer"; null if every answer that is to be trained on says something. */
export function emptyAnswer(example: SequenceExample): string | null {
  switch (example.kind) {
    case 'chat': {
      const { messages, trainFrom = 0 } = example;
      const empty = messages.flatMap((message, index) => (index >= trainFrom && isEmpty(message) ? [index + 1] : []));
      if (empty.length === 0) return null;
      return empty.length === 1
        ? `message ${empty[0]} is an empty answer`
        : `messages ${empty.join(', ')} are empty answers`;
    }
    case 'completion':
      return isBlank(example.completion) ? 'the completion is empty' : null;
    case 'text':
      return isBlank(example.text) ? 'the text is empty' : null;
    case 'tokenized':
      return null;
  }
}

/** An assistant's turn that takes loss and neither says, thinks nor calls anything. */
function isEmpty(message: ChatMessage): boolean {
  const { role, content, noLoss, tool_calls: calls } = message;
  if (role !== 'assistant' || noLoss || (Array.isArray(calls) && calls.length > 0)) return false;
  return isBlank(content) && REASONING_KEYS.every(key => isBlank(message[key]));
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '');
}
