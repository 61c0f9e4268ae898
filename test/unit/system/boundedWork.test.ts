// Work that never ends is ended, on the same thread.
import { expect, test } from 'vitest';
import { TimeLimitError, withinTime } from '../../../extension/src/system/boundedWork.js';

test('returns what the work returns, and throws what it throws', () => {
  expect(withinTime(60_000, () => [1, 2])).toEqual([1, 2]);
  expect(() =>
    withinTime(60_000, () => {
      throw new RangeError('too large');
    }),
  ).toThrow(new RangeError('too large'));
});

test.each<[string, () => unknown]>([
  [
    'a loop',
    () => {
      for (;;);
    },
  ],
  ['a regular expression', () => /^(a+)+$/.test(`${'a'.repeat(100)}b`)],
  [
    'a loop that catches everything',
    () => {
      for (;;)
        try {
          for (;;);
        } catch {
          // It can't be caught inside.
        }
    },
  ],
])('ends %s', (_, work) => {
  expect(() => withinTime(100, work)).toThrow(TimeLimitError);
});

test('work within work', () => {
  expect(withinTime(60_000, () => withinTime(60_000, () => 1) + 1)).toBe(2);
  const inner = () => withinTime(100, () => /^(a+)+$/.test(`${'a'.repeat(100)}b`));
  expect(() => withinTime(60_000, inner)).toThrow(TimeLimitError);
});
