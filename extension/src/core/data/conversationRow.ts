// A conversation as a row of a dataset, in the format that its rows have. Pure; called when an answer is corrected.
import type { ChatTurn } from '../../protocol/sessionMessages.js';
import type { Row } from './example.js';
import { chooseFormat } from './chooseFormat.js';

/**
 * @param rows the first of the dataset; a dataset without any gets lists of messages
 * @throws Error if the format can't hold the conversation
 */
export function conversationRow(messages: readonly ChatTurn[], rows: readonly Row[]): Row {
  const [first] = rows;
  if (!first) return { messages };
  const format = chooseFormat(rows)?.format;
  if (!format?.toRow)
    throw new Error(
      `A dataset ${format ? `of the format ${format.name}` : 'of no known format'} can’t hold a conversation.`,
    );
  return format.toRow(messages, first);
}
