// The token ids of a prompt. Called by the session and by the checks before a run.
import type { ChatMessage } from '../../core/data/example.js';
import { renderChat } from '../../core/text/chatTemplate.js';
import { checkEmbedded } from '../../core/text/embeddedIds.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';

/**
 * Ids of a user's prompt: one turn of a chat if the tokenizer has a chat template, else the plain text.
 * @param rows of the model's embedding
 * @throws InputError if the model has no tokenizer, or the prompt has a token that the model doesn't have
 */
export function promptIds(tokenizer: TextTokenizer, rows: number, prompt: string, system?: string): number[] {
  const ids = encodedPrompt(tokenizer, prompt, system);
  checkEmbedded(ids, rows, tokenizer);
  return ids;
}

function encodedPrompt(tokenizer: TextTokenizer, prompt: string, system?: string): number[] {
  if (tokenizer.chatTemplate === null) return tokenizer.encode(system ? `${system}\n\n${prompt}` : prompt);
  const messages: ChatMessage[] = [{ role: 'user', content: prompt }];
  if (system) messages.unshift({ role: 'system', content: system });
  const text = renderChat(tokenizer, messages, { addGenerationPrompt: true });
  return tokenizer.encode(text, { addSpecialTokens: false });
}
