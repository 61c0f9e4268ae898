// Checks the order of roles in a conversation for the dataset preview: what many chat templates reject, or turns on which nothing or
// too much is trained. Pure; whether a row can be trained on at all is decided by the format's parser and the chat template.
import type { Row } from './example.js';
import { chatRole } from './formats/roles.js';
import { asList, isObject } from './formats/rowFields.js';

export interface RoleFault {
  /** JSON path of the turn within the row, such as ["messages", 2]. */
  path: [string, number];
  /** Key of the turn that holds its role. */
  key: 'role' | 'from';
  found: string;
  /** The role that belongs there, in the format's own terms; null: none, the turn is superfluous. */
  expected: string | null;
  message: string;
}

type Speaker = 'system' | 'question' | 'answer';

/** Lists of turns, and the keys of a turn that name its speaker. */
const FIELDS = ['messages', 'conversations', 'conversation'];
const KEYS = ['role', 'from'] as const;

/** The first turn that is out of order; null if there is none, or if the row is not a conversation. */
export function findRoleFault(row: Row): RoleFault | null {
  for (const field of FIELDS) {
    const turns = asList(row[field]);
    if (!turns || turns.length === 0) continue;
    const key = KEYS.find(name => turns.every(turn => isObject(turn) && typeof turn[name] === 'string'));
    if (!key) continue;
    return faultOf(
      turns.map(turn => (turn as Record<string, string>)[key]),
      field,
      key,
      turns as Record<string, unknown>[],
    );
  }
  return null;
}

/** null for a role that no chat template knows. */
function speakerOf(role: string): Speaker | null {
  if (role === 'developer') return 'system';
  if (role === 'ipython') return 'question';
  const known = chatRole(role);
  if (known === null || known === 'system') return known;
  return known === 'assistant' ? 'answer' : 'question';
}

function faultOf(roles: string[], field: string, key: 'role' | 'from', turns: Record<string, unknown>[]) {
  const words: Record<Speaker, string> =
    key === 'role'
      ? { system: 'system', question: 'user', answer: 'assistant' }
      : { system: 'system', question: 'human', answer: 'gpt' };
  const fault = (index: number, expected: string | null, message: string): RoleFault => ({
    path: [field, index],
    key,
    found: roles[index],
    expected,
    message,
  });
  let previous: Speaker = 'answer';
  for (const [index, role] of roles.entries()) {
    const where = `${field}[${index}]`;
    const speaker = speakerOf(role);
    if (!speaker) {
      const expected = words[previous === 'answer' ? 'question' : 'answer'];
      return fault(index, expected, `${where} has the role "${role}", which chat templates don't know`);
    }
    if (speaker === 'system') {
      if (index > 0) return fault(index, null, `${where} is a system message, which may only come first`);
      continue;
    }
    if (speaker === 'question' && previous === 'question' && chatRole(role) !== 'tool') {
      return fault(index, words.answer, `${where} is from "${role}", but the message before it has no answer yet`);
    }
    if (speaker === 'answer' && previous === 'answer' && !turns[index - 1]?.tool_calls) {
      const first = index === 0 || (index === 1 && speakerOf(roles[0]) === 'system');
      const message = first
        ? `${where} is an answer, but there is no question before it`
        : `${where} is the second answer in a row`;
      return fault(index, words.question, message);
    }
    previous = speaker;
  }
  const last = roles.length - 1;
  if (previous === 'question') {
    return fault(last, null, `${field}[${last}] is a question without an answer: nothing is trained on it`);
  }
  return null;
}
