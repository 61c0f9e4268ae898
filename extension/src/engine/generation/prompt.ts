// The token ids of a prompt. Called by the session and by the checks before a run.
import type { ChatMessage } from '../../core/data/example.js';
import { renderChat } from '../../core/text/chatTemplate.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';

/** Ids of a user's prompt: one turn of a chat if the tokenizer has a chat template, else the plain text. */
export function promptIds(tokenizer: TextTokenizer, prompt: string, system?: string): number[] {
  if (tokenizer.chatTemplate === null) return tokenizer.encode(system ? `${system}\n\n${prompt}` : prompt);
  const messages: ChatMessage[] = [{ role: 'user', content: prompt }];
  if (system) messages.unshift({ role: 'system', content: system });
  const text = renderChat(tokenizer, messages, { addGenerationPrompt: true });
  return tokenizer.encode(text, { addSpecialTokens: false });
}
