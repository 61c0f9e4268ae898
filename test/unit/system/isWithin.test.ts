import { expect, it } from 'vitest';
import { isWithin } from '../../../extension/src/system/isWithin.js';

it.each([
  ['/a/b', '/a/b', true],
  ['/a/b/c/d', '/a/b', true],
  ['/a/b', '/', true],
  ['/a/b/..c', '/a/b', true],
  ['/a/bc', '/a/b', false],
  ['/a', '/a/b', false],
  ['/a/b/../c', '/a/b', false],
])('%s in %s: %s', (place, folder, expected) => {
  expect(isWithin(place, folder)).toBe(expected);
});
