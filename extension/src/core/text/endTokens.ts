// The tokens that end an answer, derived once for generation, for the samples of a run and for the model folders that are
// written. A chat template may end the assistant's turn with another token than the tokenizer's eos (a base model with
// <|im_end|> in its template): the model learns that one, so it ends an answer too.
import type { ChatMessage } from '../data/example.js';
import { InputError } from '../inputError.js';
import { renderChat } from './chatTemplate.js';
import type { TextTokenizer } from './textTokenizer.js';

/** Llama 3 ends a call of a built-in tool with it; its templates write it only where they are told of such tools. */
const END_OF_MESSAGE = '<|eom_id|>';

const ANSWER = 'Qvxzj';
const QUESTION: ChatMessage = { role: 'user', content: 'Hi' };
const PROBES: { answer: ChatMessage; end: 'first' | 'last' }[] = [
  { answer: { role: 'assistant', content: ANSWER }, end: 'first' },
  {
    // What follows the name are the arguments and the end of the call, then the end of the turn.
    answer: {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'a1b2c3d4e', type: 'function', function: { name: ANSWER, arguments: {} } }],
    },
    end: 'last',
  },
];

/**
 * @param configured `eos_token_id` of generation_config.json or config.json: an id, a list of ids, or nothing
 * @returns ids, the tokenizer's eos first
 */
export function endTokenIds(tokenizer: TextTokenizer, configured: unknown): number[] {
  const ids = [tokenizer.eosTokenId, ...(Array.isArray(configured) ? configured : [configured])];
  return [...new Set([...ids, ...turnEnds(tokenizer)])].filter((id): id is number => typeof id === 'number');
}

/** Ids with which the chat template ends the assistant's last turn: after an answer, and after a call of a tool. */
function turnEnds(tokenizer: TextTokenizer): number[] {
  const { chatTemplate } = tokenizer;
  if (chatTemplate === null) return [];
  const ends = PROBES.flatMap(({ answer, end }) => {
    const closing = closingOf(tokenizer, answer);
    const marks = tokenizer.encode(closing, { addSpecialTokens: false }).filter(id => isMark(tokenizer, id));
    return marks.slice(...(end === 'first' ? [0, 1] : [-1]));
  });
  const endOfMessage = chatTemplate.includes(END_OF_MESSAGE) ? tokenizer.tokenToId(END_OF_MESSAGE) : undefined;
  return endOfMessage === undefined ? ends : [...ends, endOfMessage];
}

/** The text after the last occurrence of ANSWER; empty if the template rejects or leaves out such a turn. */
function closingOf(tokenizer: TextTokenizer, answer: ChatMessage): string {
  try {
    const text = renderChat(tokenizer, [QUESTION, answer]);
    const at = text.lastIndexOf(ANSWER);
    return at < 0 ? '' : text.slice(at + ANSWER.length);
  } catch (error) {
    if (error instanceof InputError) return '';
    throw error;
  }
}

/** Whether the token is one of the tokenizer's special tokens, or is written like one. */
export function isMark(tokenizer: TextTokenizer, id: number): boolean {
  return tokenizer.decode([id], { skipSpecialTokens: true }) === '' || /^<[|｜].+[|｜]>$/.test(tokenizer.decode([id]));
}
