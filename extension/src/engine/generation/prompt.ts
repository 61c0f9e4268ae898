// The token ids of a prompt, and the ids that end its answer. Called by the session and by the checks before a run.
import type { ChatMessage } from '../../core/data/example.js';
import { renderChat } from '../../core/text/chatTemplate.js';
import type { TextTokenizer } from '../../core/text/textTokenizer.js';
import type { ModelOnDisk } from '../models/modelOnDisk.js';

/** Ids of a user's prompt: one turn of a chat if the tokenizer has a chat template, else the plain text. */
export function promptIds(tokenizer: TextTokenizer, prompt: string, system?: string): number[] {
  if (tokenizer.chatTemplate === null) return tokenizer.encode(system ? `${system}\n\n${prompt}` : prompt);
  const messages: ChatMessage[] = [{ role: 'user', content: prompt }];
  if (system) messages.unshift({ role: 'system', content: system });
  const text = renderChat(tokenizer, messages, { addGenerationPrompt: true });
  return tokenizer.encode(text, { addSpecialTokens: false });
}

/** Ids that end an answer: the tokenizer's eos and those of generation_config.json. */
export function stopTokenIds({ tokenizer, files }: Pick<ModelOnDisk, 'tokenizer' | 'files'>): number[] {
  const configured = files.generationConfig?.['eos_token_id'] ?? files.config['eos_token_id'] ?? [];
  const ids = [tokenizer.eosTokenId, ...(Array.isArray(configured) ? configured : [configured])];
  return [...new Set(ids.filter((id): id is number => typeof id === 'number'))];
}
