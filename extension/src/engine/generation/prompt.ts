// The token ids of a prompt. Called by the session and by the checks before a run.
import type { ChatMessage } from '../../core/data/example.js';
import { InputError } from '../../core/inputError.js';
import { renderChat } from '../../core/text/chatTemplate.js';
import { checkEmbedded } from '../../core/text/embeddedIds.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { GenerationInput } from '../../protocol/sessionMessages.js';

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
  const ids = requestIds(tokenizer, { messages: promptTurns(prompt, system) });
  checkEmbedded(ids, rows, tokenizer);
  return ids;
}

/**
 * Ids of a conversation to answer, or of a text to continue. Without a chat template, the turns' texts are the text.
 * @throws InputError if there is neither
 */
export function requestIds(tokenizer: TextTokenizer, request: GenerationInput): number[] {
  const { messages, prompt, tools, documents, template_variables: variables } = request;
  if (!messages && prompt === undefined)
    throw new InputError('there is neither a conversation nor a text to continue', { key: 'prompt' });
  if (!messages) return tokenizer.encode(prompt!);
  if (tokenizer.chatTemplate === null) return tokenizer.encode(messages.map(({ content }) => content).join('\n\n'));
  const text = renderChat(tokenizer, messages as ChatMessage[], {
    addGenerationPrompt: true,
    tools,
    variables: { ...variables, ...(documents && { documents }) },
  });
  return tokenizer.encode(text, { addSpecialTokens: false });
}
