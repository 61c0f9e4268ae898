// Encodes a conversation as token ids with labels on the assistant's turns. Called by core/data/encodeExample.ts.
// The ids are always those of the whole rendered text, as with Transformers' apply_chat_template(tokenize=True); the turns are
// located by rendering the conversation up to and including each of them.
import { IGNORE_LABEL, type ChatMessage, type EncodedExample } from '../data/example.js';
import { InputError } from '../inputError.js';
import { renderChat } from './chatTemplate.js';
import type { TextTokenizer } from './textTokenizer.js';

export interface EncodeChatOptions {
  tools?: unknown[];
  template?: string | null;
  /** Assistant turns before this message take no loss. */
  trainFrom?: number;
  trainOn?: 'completions' | 'all';
}

export interface EncodedChat extends EncodedExample {
  /** Indices of assistant messages that the template moved or rewrote so that they can't be found; no loss is taken on them. */
  unlocatedTurns: number[];
}

/** Characters `[start, end)` of the rendered text. */
interface Span {
  start: number;
  end: number;
}

/**
 * Renders and encodes `messages`. Loss is taken on what the model must generate: each assistant turn's content and tool
 * calls and the special token that ends the turn, but not the header before it or the white space after it.
 * @throws InputError as `renderChat`
 */
export function encodeChat(tokenizer: TextTokenizer, messages: ChatMessage[], options: EncodeChatOptions): EncodedChat {
  const text = renderChat(tokenizer, messages, options);
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const inputIds = Int32Array.from(ids);
  if (options.trainOn === 'all') return { inputIds, labels: inputIds.slice(), unlocatedTurns: [] };

  const { spans, unlocatedTurns } = locateTurns(tokenizer, messages, text, options);
  const labels = new Int32Array(ids.length).fill(IGNORE_LABEL);
  for (const { start, end } of alignSpans(tokenizer, text, ids, spans)) {
    const stop = endOfTurn(tokenizer, ids, start, end);
    labels.set(inputIds.subarray(start, stop), start);
  }
  return { inputIds, labels, unlocatedTurns };
}

function locateTurns(
  tokenizer: TextTokenizer,
  messages: ChatMessage[],
  text: string,
  options: EncodeChatOptions,
): { spans: Span[]; unlocatedTurns: number[] } {
  const spans: Span[] = [];
  const unlocatedTurns: number[] = [];
  const render = (count: number, addGenerationPrompt: boolean): string | null => {
    try {
      return renderChat(tokenizer, messages.slice(0, count), { ...options, addGenerationPrompt });
    } catch (error) {
      // The whole conversation rendered, but a template may still reject its beginning.
      if (error instanceof InputError) return null;
      throw error;
    }
  };

  let closing = '';
  messages.forEach((message, index) => {
    if (message.role !== 'assistant' || index < (options.trainFrom ?? 0)) return;
    const start = findStart(text, render(index, true), () => render(index, false));
    const through = index + 1 === messages.length ? text : render(index + 1, false);
    closing = (through && afterContent(through, message.content)) || closing;
    const end = start === null ? null : findEnd(text, start, through, closing, message.content);
    if (start === null || end === null) unlocatedTurns.push(index);
    else spans.push({ start, end });
  });
  return { spans, unlocatedTurns };
}

/** Where the turn begins: after the previous messages and as much of the generation header as the text has. */
function findStart(text: string, withHeader: string | null, renderWithout: () => string | null): number | null {
  if (withHeader !== null && text.startsWith(withHeader)) return withHeader.length;
  const withoutHeader = renderWithout();
  if (withoutHeader === null || !text.startsWith(withoutHeader)) return null;
  return withHeader === null ? withoutHeader.length : commonPrefix(text, withHeader);
}

/** Where the turn ends. A template may render a turn differently once others follow (without its reasoning): then it ends with
 *  the text that closes a turn, provided that the text before it is part of the message. */
function findEnd(text: string, start: number, through: string | null, closing: string, content: string): number | null {
  if (through !== null && through.length > start && text.startsWith(through)) return through.length;
  const at = closing === '' ? -1 : text.indexOf(closing, start);
  if (at < 0 || !content.includes(text.slice(start, at).trim())) return null;
  return at + closing.length;
}

function afterContent(through: string, content: string): string {
  const trimmed = content.trim();
  const at = trimmed === '' ? -1 : through.lastIndexOf(trimmed);
  return at < 0 ? '' : through.slice(at + trimmed.length);
}

/**
 * Converts character spans to token spans. Encoding the pieces between the boundaries gives the ids of the whole text if no token
 * spans a boundary; else a boundary is where the ids of the text before it differ from those of the whole, so that a token
 * that spans it belongs to what follows.
 */
function alignSpans(tokenizer: TextTokenizer, text: string, ids: number[], spans: Span[]): Span[] {
  const encode = (from: number, to: number) => tokenizer.encode(text.slice(from, to), { addSpecialTokens: false });
  const aligned: Span[] = [];
  let position = 0;
  let matches = true;
  const expect = (piece: number[]) => {
    matches &&= piece.every((id, i) => id === ids[position + i]);
    position += piece.length;
    return position;
  };
  let textPosition = 0;
  for (const { start, end } of spans) {
    aligned.push({ start: expect(encode(textPosition, start)), end: expect(encode(start, end)) });
    textPosition = end;
  }
  expect(encode(textPosition, text.length));
  if (matches && position === ids.length) return aligned;

  return spans.map(({ start, end }) => ({
    start: commonPrefix(encode(0, start), ids),
    end: commonPrefix(encode(0, end), ids),
  }));
}

/** The end of a turn without the white space that some templates add after its final token. */
function endOfTurn(tokenizer: TextTokenizer, ids: number[], start: number, end: number): number {
  let last = end - 1;
  while (last >= start && tokenizer.decode([ids[last]]).trim() === '') last--;
  const endsWithSpecial = last >= start && tokenizer.decode([ids[last]], { skipSpecialTokens: true }) === '';
  return endsWithSpecial ? last + 1 : end;
}

function commonPrefix(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
}
