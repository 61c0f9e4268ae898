// The sizes of the caches that sequences decode in.
import { expect, it } from 'vitest';
import { capacityFor } from '../../../../extension/src/engine/generation/batch.js';

it.each([
  ['a short answer', 27, 64, 128],
  ['an answer that may be long', 27, 4000, 512],
  ['a long conversation', 600, 4000, 1024],
  ['one that is full', 128, 0, 128],
  ['one that has one token more', 128, 1, 256],
])('%s: %i tokens, and at most %i to come', (_, tokens, toCome, capacity) => {
  expect(capacityFor(tokens, toCome)).toBe(capacity);
});
