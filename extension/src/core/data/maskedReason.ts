// Why nothing of a row is trained on, for the warning of a run and for the preview. Pure.
import type { EncodedRow } from './encodeExample.js';
import type { SequenceExample } from './example.js';
import { chatRole } from './formats/roles.js';

/** @param encoded the row without label tokens */
export function maskedReason(example: SequenceExample, { unlocatedTurns }: EncodedRow): string {
  switch (example.kind) {
    case 'chat': {
      const { messages, trainFrom = 0 } = example;
      const roles = [...new Set(messages.map(({ role }) => role))];
      const unknown = roles.filter(role => chatRole(role) === null && role !== 'developer');
      const answers = messages.slice(trainFrom).filter(({ role }) => role === 'assistant');
      if (answers.length === 0) {
        const which = unknown.length > 0 ? `, and ${unknown.map(role => `"${role}"`).join(', ')} is unknown` : '';
        return `no message ${trainFrom > 0 ? 'of the completion ' : ''}is from the assistant (roles: ${roles.join(', ')})${which}`;
      }
      if (answers.every(({ content, tool_calls: calls }) => !content && !calls)) return 'the answers are empty';
      if (unlocatedTurns.length > 0) return 'the chat template rewrites the answers beyond recognition';
      return 'the answers are masked';
    }
    case 'completion':
      return 'the completion is empty';
    case 'text':
      return 'the text has no more than one token';
    case 'tokenized':
      return example.inputIds.length < 2 ? 'the row has fewer than two tokens' : 'all labels are -100';
  }
}
