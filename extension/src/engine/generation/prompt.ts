// The token ids of a prompt: a conversation by the model's chat template, its beginning left out where it is longer than the context;
// or a text as it is. Called by the session and by the checks before a run.
import type { ChatMessage } from '../../core/data/example.js';
import { InputError, unlessWrong } from '../../core/inputError.js';
import { renderChat, type RenderChatOptions } from '../../core/text/chatTemplate.js';
import { checkEmbedded } from '../../core/text/embeddedIds.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { ChatTurn, GenerationInput } from '../../protocol/sessionMessages.js';

export interface Prompt {
  ids: number[];
  /** As the template writes it; empty for a text to continue. */
  chat: string;
  /** Turns of the conversation that are left out. */
  droppedTurns: number;
}

/** The part of the context that a long history leaves to the answer. */
const ANSWER_SHARE = 1 / 4;

/** A user's prompt, as one turn of a conversation. */
export function promptTurns(prompt: string, system?: string): { role: string; content: string }[] {
  const user = { role: 'user', content: prompt };
  return system ? [{ role: 'system', content: system }, user] : [user];
}

/**
 * Ids of a user's prompt: one turn of a chat if the tokenizer has a chat template, else the plain text.
 * @param rows of the model's embedding
 * @throws InputError if the model has no tokenizer, or the prompt has a token that the model doesn't have
 */
export function promptIds(tokenizer: TextTokenizer, rows: number, prompt: string, system?: string): number[] {
  const { ids } = wholePrompt(tokenizer, { messages: promptTurns(prompt, system) });
  checkEmbedded(ids, rows, tokenizer);
  return ids;
}

/**
 * A conversation to answer, or a text to continue. Without a chat template, the text is that of the turns with empty lines between
 * them.
 * @throws InputError if there is neither, and if the template rejects the conversation or leaves out tools or documents
 */
export function wholePrompt(tokenizer: TextTokenizer, request: GenerationInput): Prompt {
  const { messages: turns, prompt, tools, documents, template_variables: variables } = request;
  if (!turns) {
    if (prompt !== undefined) return { ids: tokenizer.encode(prompt), chat: '', droppedTurns: 0 };
    throw new InputError('there is neither a conversation nor a text to continue', { key: 'prompt' });
  }
  if (turns.length === 0)
    throw new InputError('the conversation is empty', { key: 'prompt', hint: 'Begin it with a user’s turn.' });
  const asked = { tools: nonEmpty(tools), documents: nonEmpty(documents) };
  if (tokenizer.chatTemplate === null) {
    checkRead(asked, 'has no chat template', () => false);
    const texts = turns.flatMap(({ content }) => content ?? []);
    return { ids: tokenizer.encode(texts.join('\n\n')), chat: '', droppedTurns: 0 };
  }
  const rendered = (options: Pick<RenderChatOptions, 'tools' | 'documents'>) =>
    withPlace(tokenizer, () =>
      renderChat(tokenizer, turns as ChatMessage[], { addGenerationPrompt: true, variables, ...options }),
    );
  const chat = rendered(asked);
  checkRead(asked, 'has a chat template without a place for them', key => {
    try {
      return rendered({ ...asked, [key]: undefined }) !== chat;
    } catch (error) {
      if (error instanceof InputError) return true;
      throw error;
    }
  });
  return { ids: tokenizer.encode(chat, { addSpecialTokens: false }), chat, droppedTurns: 0 };
}

/** Adds the template's place to its errors, which have none because rows of a dataset have one of their own. */
function withPlace<T>({ templatePlace }: TextTokenizer, render: () => T): T {
  try {
    return render();
  } catch (error) {
    if (!(error instanceof InputError) || error.where || templatePlace === null) throw error;
    const { message, hint } = error.record();
    throw new InputError(message, { ...templatePlace, hint });
  }
}

/** Whether the model can be told of tools. */
export function readsTools(tokenizer: TextTokenizer): boolean {
  const tool = {
    type: 'function',
    function: { name: 'clock', description: 'The time', parameters: { type: 'object' } },
  };
  return unlessWrong(() => wholePrompt(tokenizer, { messages: promptTurns('Hi'), tools: [tool] })) !== null;
}

/** @throws InputError if tools or documents would be left out @param isRead of those that there are */
function checkRead(
  asked: Pick<RenderChatOptions, 'tools' | 'documents'>,
  reason: string,
  isRead: (key: 'tools' | 'documents') => boolean,
): void {
  for (const key of ['tools', 'documents'] as const)
    if (asked[key] && !isRead(key))
      throw new InputError(`the model can’t be told of ${key}: it ${reason}`, {
        key,
        hint: `Leave the ${key} out, or use a model that is trained for them.`,
      });
}

function nonEmpty(list: unknown[] | undefined): unknown[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

/**
 * The same, with as many of the last turns as fit. What is left out are whole exchanges, from a user's turn up to the next, so that
 * no result of a tool loses its call; the system's turns at the beginning and the last exchange stay.
 * @param positions of the context, for the prompt and the answer
 * @throws InputError also if even the last exchange, or a text, leaves no room for an answer
 */
export function fittingPrompt(
  tokenizer: TextTokenizer,
  request: GenerationInput,
  { positions, maxNewTokens }: { positions: number; maxNewTokens: number },
): Prompt {
  const whole = wholePrompt(tokenizer, request);
  if (whole.ids.length === 0)
    throw new InputError('there is no text to continue', { key: 'prompt', hint: 'Write the beginning of one.' });
  const room = positions - Math.min(maxNewTokens, Math.floor(positions * ANSWER_SHARE));
  if (whole.ids.length <= room) return whole;
  const turns = request.messages ?? [];
  const first = Math.max(
    0,
    turns.findIndex(({ role }) => !isSystem(role)),
  );
  const from = (start: number): Prompt => {
    const kept: ChatTurn[] = [...turns.slice(0, first), ...turns.slice(start)];
    return { ...wholePrompt(tokenizer, { ...request, messages: kept }), droppedTurns: start - first };
  };
  const starts = turns.flatMap(({ role }, i) => (role === 'user' && i > first ? [i] : []));
  // The least that has to be left out, by bisection: less text has no more tokens.
  let low = 0;
  let high = starts.length - 1;
  let found: Prompt | null = null;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const tried = from(starts[middle]!);
    if (tried.ids.length <= room) found = tried;
    if (tried.ids.length <= room) high = middle - 1;
    else low = middle + 1;
  }
  if (found) return found;
  const last = starts.length > 0 ? from(starts.at(-1)!) : whole;
  if (last.ids.length < positions) return last;
  const lastTurn = turns.length > 1 ? 'the last turn of the conversation has' : 'the prompt has';
  const what = first > 0 ? 'the system message and the last turn have' : lastTurn;
  throw new InputError(`${what} ${last.ids.length} tokens, but the model reads at most ${positions}`, {
    code: 'prompt_too_long',
    key: 'prompt',
    hint: 'Shorten it.',
  });
}

function isSystem(role: string): boolean {
  return role === 'system' || role === 'developer';
}
