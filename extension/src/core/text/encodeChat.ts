// Encodes a conversation as token ids with labels on the assistant's turns. Called by core/data/encodeExample.ts.
// The ids are always those of the whole rendered text, as with Transformers' apply_chat_template(tokenize=True). What the assistant
// writes is what the template marks with {% generation %}; else the text of its passes of the loop over the messages, without
// the header that the generation prompt also has.
import { IGNORE_LABEL, type ChatMessage, type EncodedExample } from '../data/example.js';
import { InputError } from '../inputError.js';
import { renderConversation, type RenderedChat } from './chatTemplate.js';
import type { MessageSpan } from './jinja/interpreter.js';
import type { TextTokenizer } from './textTokenizer.js';

export interface EncodeChatOptions {
  tools?: unknown[];
  template?: string | null;
  /** Further variables of the template. */
  variables?: Record<string, unknown>;
  /** Assistant turns before this message take no loss. */
  trainFrom?: number;
  trainOn?: 'completions' | 'all';
}

export interface EncodedChat extends EncodedExample {
  /** Indices of assistant messages that can't be found in the text; no loss is taken on them. */
  unlocatedTurns: number[];
}

/** Characters `[start, end)` of the rendered text. */
interface Span {
  start: number;
  end: number;
}

interface TurnSpan extends Span {
  message: number;
  /** Marked by the template: every token that it touches is trained on, as in Transformers. */
  marked: boolean;
}

/**
 * Renders and encodes `messages`. Loss is taken on what the model must generate: each assistant turn's content and tool
 * calls and the special token that ends the turn, but not the header before it or the white space after it.
 * @throws InputError as `renderConversation`
 */
export function encodeChat(tokenizer: TextTokenizer, messages: ChatMessage[], options: EncodeChatOptions): EncodedChat {
  const chat = renderConversation(tokenizer, messages, options);
  const ids = tokenizer.encode(chat.text, { addSpecialTokens: false });
  const inputIds = Int32Array.from(ids);
  const trainsAll = options.trainOn === 'all';
  if (trainsAll && !messages.some(message => message.noLoss)) {
    return { inputIds, labels: inputIds.slice(), unlocatedTurns: [] };
  }

  const turns = assistantTurns(tokenizer, messages, chat, options);
  const takesLoss = (index: number) => index >= (options.trainFrom ?? 0) && !messages[index].noLoss;
  const labels = trainsAll ? inputIds.slice() : new Int32Array(ids.length).fill(IGNORE_LABEL);
  for (const { start, end, message } of alignSpans(tokenizer, chat.text, ids, turns)) {
    if (!trainsAll && takesLoss(message)) labels.set(inputIds.subarray(start, end), start);
    if (messages[message].noLoss) labels.fill(IGNORE_LABEL, start, end);
  }
  const located = new Set(turns.map(turn => turn.message));
  const missing = indicesOfAssistant(messages).filter(index => !located.has(index));
  const masked = missing.find(index => messages[index].noLoss);
  if (trainsAll && masked !== undefined) {
    throw new InputError(`message ${masked} is to take no loss, but can't be found in the text of the chat template`, {
      hint: 'Set dataset.train_on to "completions", or mark the turns with {% generation %} in the template.',
    });
  }
  return { inputIds, labels, unlocatedTurns: trainsAll ? [] : missing.filter(takesLoss) };
}

function indicesOfAssistant(messages: readonly ChatMessage[]): number[] {
  return messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
}

/** In the order of the text; assistant messages that can't be found have none. */
function assistantTurns(
  tokenizer: TextTokenizer,
  messages: ChatMessage[],
  chat: RenderedChat,
  options: EncodeChatOptions,
): TurnSpan[] {
  const assistant = indicesOfAssistant(messages);
  if (chat.generations.length > 0) return markedTurns(assistant, chat);

  const render = (count: number, addGenerationPrompt: boolean): string | null => {
    try {
      const { form } = chat;
      return renderConversation(tokenizer, messages.slice(0, count), { ...options, form, addGenerationPrompt }).text;
    } catch (error) {
      // The whole conversation rendered, but a template may still reject its beginning.
      if (error instanceof InputError) return null;
      throw error;
    }
  };
  const last = messages.length - 1;
  return assistant
    .flatMap(index => {
      const pass = chat.messages.findLast(span => span.message === index);
      const written = pass && withoutFollowing(chat, pass, messages, render);
      const found = written ? withoutHeader(chat.text, written, index, render) : byPrefixes(chat.text, index, render);
      if (!found || !has(chat.text.slice(found.start, found.end), messages[index])) return [];
      // What a template writes after its loop, such as eos, ends the last turn.
      return [{ ...found, end: index === last ? chat.text.length : found.end, message: index }];
    })
    .map(turn => ({ ...turn, marked: false }))
    .sort((a, b) => a.start - b.start);
}

/** The marked spans, each of the message in whose pass of the loop it is. What follows the loop is of the last answer. */
function markedTurns(assistant: number[], { generations, messages }: RenderedChat): TurnSpan[] {
  const inOrder = messages.length === 0 && generations.length === assistant.length;
  return generations.map((span, i) => {
    const pass = messages.find(({ start, end }) => start <= span.start && span.end <= end);
    const message = inOrder ? assistant[i] : (pass?.message ?? assistant[assistant.length - 1] ?? 0);
    return { ...span, message, marked: true };
  });
}

/** Whether `text` has the end of what the message says, rather than something that the template writes instead. */
function has(text: string, { content, tool_calls: calls }: ChatMessage): boolean {
  const letters = (value: string) => value.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  const lastLine = content?.trim().split('\n').at(-1) ?? '';
  return calls !== undefined || letters(text).includes(letters(lastLine));
}

/** Some templates write the results of tools in the pass of the call: they are not the assistant's. */
function withoutFollowing(chat: RenderedChat, pass: MessageSpan, messages: ChatMessage[], render: Render): MessageSpan {
  const next = messages[pass.message + 1];
  const isWithin =
    next && next.role !== 'assistant' && !chat.messages.some(({ message }) => message === pass.message + 1);
  const through = isWithin ? render(pass.message + 1, false) : null;
  return through === null ? pass : { ...pass, end: Math.min(pass.end, commonPrefix(chat.text, through)) };
}

type Render = (count: number, addGenerationPrompt: boolean) => string | null;

/** What a pass of the loop wrote, after the header: as much of the generation prompt as the text has. */
function withoutHeader(text: string, pass: Span, index: number, render: Render): Span {
  const prompted = render(index, true);
  if (prompted !== null && prompted.length >= pass.start && text.startsWith(prompted)) {
    return { start: Math.min(prompted.length, pass.end), end: pass.end };
  }
  const before = render(index, false);
  const header = prompted === null || before === null ? '' : prompted.slice(commonPrefix(prompted, before));
  const body = text.slice(pass.start, pass.end);
  const shared = body.slice(0, commonPrefix(body, header));
  // A header that differs ends where its last line or token is complete.
  const complete = shared.length === header.length ? shared : (/^[^]*[\s>\]]/.exec(shared)?.[0] ?? '');
  return { start: pass.start + complete.length, end: pass.end };
}

/** For templates that don't loop over the messages themselves: by the text of the messages before and up to this one. */
function byPrefixes(text: string, index: number, render: Render): Span | null {
  const before = render(index, true) ?? render(index, false);
  const through = render(index + 1, false);
  const isFound = before !== null && through !== null && through.length > before.length;
  return isFound && text.startsWith(before) && text.startsWith(through)
    ? { start: before.length, end: through.length }
    : null;
}

/**
 * Converts character spans to token spans. Encoding the pieces between the boundaries gives the ids of the whole text if no token
 * spans a boundary; else a boundary is where the ids of the text before it differ from those of the whole, so that a token
 * that spans it belongs to what follows, and at the end of a marked span to that too.
 */
function alignSpans(tokenizer: TextTokenizer, text: string, ids: number[], spans: TurnSpan[]): TurnSpan[] {
  const encode = (from: number, to: number) => tokenizer.encode(text.slice(from, to), { addSpecialTokens: false });
  const aligned: TurnSpan[] = [];
  let position = 0;
  let matches = true;
  const expect = (piece: number[]) => {
    matches &&= piece.every((id, i) => id === ids[position + i]);
    position += piece.length;
    return position;
  };
  let textPosition = 0;
  for (const span of spans) {
    const start = expect(encode(textPosition, span.start));
    aligned.push({ ...span, start, end: expect(encode(span.start, span.end)) });
    textPosition = span.end;
  }
  expect(encode(textPosition, text.length));
  const tokens = matches && position === ids.length ? aligned : spans.map(span => spanning(encode, ids, span));
  return tokens.map(span => (span.marked ? span : { ...span, end: endOfTurn(tokenizer, ids, span.start, span.end) }));
}

function spanning(encode: (from: number, to: number) => number[], ids: number[], span: TurnSpan): TurnSpan {
  const through = encode(0, span.end);
  const end = commonPrefix(through, ids);
  const start = commonPrefix(encode(0, span.start), ids);
  return { ...span, start, end: span.marked && end < through.length ? end + 1 : end };
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
