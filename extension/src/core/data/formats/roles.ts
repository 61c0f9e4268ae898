// The names that tools give to the speakers of a conversation, and the roles of chat templates that they mean. Read by the formats of
// conversations and by the check of the order of roles.

export type ChatRole = 'system' | 'user' | 'assistant' | 'tool';

/** Names as in ShareGPT, LLaMA-Factory, axolotl, ms-swift and OpenAssistant, in lower case. */
const ROLES: Readonly<Record<string, ChatRole>> = {
  system: 'system',
  user: 'user',
  human: 'user',
  prompter: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bard: 'assistant',
  bing: 'assistant',
  bot: 'assistant',
  model: 'assistant',
  ai: 'assistant',
  function_call: 'assistant',
  tool_call: 'assistant',
  tool: 'tool',
  function: 'tool',
  observation: 'tool',
  function_response: 'tool',
  tool_response: 'tool',
};

/** Speakers whose text is a call, or a list of calls, as JSON. */
const CALLS = new Set(['function_call', 'tool_call']);

export const ROLE_NAMES: readonly string[] = Object.keys(ROLES);

/** null for a name that no tool uses. */
export function chatRole(name: string): ChatRole | null {
  const known = name.toLowerCase();
  return Object.hasOwn(ROLES, known) ? ROLES[known] : null;
}

export function isCall(name: string): boolean {
  return CALLS.has(name.toLowerCase());
}
