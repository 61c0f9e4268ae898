import { expect, test } from 'vitest';
import type { SequenceExample } from '../../../../extension/src/core/data/example.js';
import { maskedReason } from '../../../../extension/src/core/data/maskedReason.js';

const chat = (...turns: [role: string, content: string][]): SequenceExample => ({
  kind: 'chat',
  messages: turns.map(([role, content]) => ({ role, content })),
});
const encoded = { inputIds: new Int32Array(0), labels: new Int32Array(0), unlocatedTurns: [] as number[] };

test.each<[string, SequenceExample, RegExp, number[]?]>([
  ['no answer', chat(['system', 'a'], ['user', 'b']), /no message is from the assistant \(roles: system, user\)$/],
  ['an unknown role', chat(['user', 'a'], ['narrator', 'b']), /\(roles: user, narrator\), and "narrator" is unknown$/],
  [
    'no answer in the completion',
    { ...chat(['user', 'a'], ['assistant', 'b'], ['user', 'c']), trainFrom: 2 } as SequenceExample,
    /no message of the completion is from the assistant/,
  ],
  ['empty answers', chat(['user', 'a'], ['assistant', '']), /the answers are empty/],
  ['answers that the template rewrites', chat(['user', 'a'], ['assistant', 'b']), /rewrites the answers/, [1]],
  ['masked answers', chat(['user', 'a'], ['assistant', 'b']), /the answers are masked/],
  ['an empty completion', { kind: 'completion', prompt: 'a', completion: '' }, /the completion is empty/],
  ['a short text', { kind: 'text', text: '' }, /no more than one token/],
  ['masked labels', { kind: 'tokenized', inputIds: [1, 2], labels: [-100, -100] }, /all labels are -100/],
  ['one token', { kind: 'tokenized', inputIds: [1] }, /fewer than two tokens/],
])('%s', (_, example, reason, unlocatedTurns = []) => {
  expect(maskedReason(example, { ...encoded, unlocatedTurns })).toMatch(reason);
});
