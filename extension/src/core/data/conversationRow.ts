// A conversation or a preference as a row of a dataset, in the format that its rows have. Pure; called when an answer is corrected.
import type { ChatTurn } from '../../protocol/sessionMessages.js';
import type { Row } from './example.js';
import { chooseFormat } from './chooseFormat.js';

const SHAREGPT_ROLES: Record<string, string> = { user: 'human', assistant: 'gpt' };

/**
 * @param rows the first of the dataset; a dataset without any gets OpenAI's messages
 * @throws Error if the format can't hold the conversation
 */
export function conversationRow(messages: readonly ChatTurn[], rows: readonly Row[]): Row {
  if (rows.length === 0) return { messages };
  const format = chooseFormat(rows)?.format.name;
  if (format === 'messages') return { messages };
  if (format === 'sharegpt')
    return {
      conversations: messages.map(({ role, content }) => ({
        from: SHAREGPT_ROLES[role] ?? role,
        value: content ?? '',
      })),
    };
  if (format === 'prompt_completion' && Array.isArray(rows[0]!['prompt']))
    return { prompt: messages.slice(0, -1), completion: messages.slice(-1) };
  if (format !== 'prompt_completion' && format !== 'alpaca')
    throw new Error(
      `A dataset ${format ? `of the format ${format}` : 'of no known format'} can’t hold a conversation.`,
    );
  const [user, assistant, ...more] = messages;
  if (user?.role !== 'user' || assistant?.role !== 'assistant' || more.length > 0)
    throw new Error(
      `A row of the format ${format} is one question and one answer, and can’t hold a system prompt or several turns. ` +
        'Choose a dataset of conversations.',
    );
  return format === 'alpaca'
    ? { instruction: user.content, input: '', output: assistant.content }
    : { prompt: user.content, completion: assistant.content };
}
