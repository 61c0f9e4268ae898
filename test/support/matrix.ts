// Which pairs of a matrix are tested. `npm test` takes a part; `npm run test:all` takes them all.

/** Set by extension/scripts/test.mjs. */
export const testsAll = process.env['TUNEWRIGHT_TEST_ALL'] === '1';

/**
 * Of the cases of one group, such as the methods of a model family: all in the first group, a third in each other one.
 * @param turn number of the group, with which that third changes, so that each case is in several groups
 */
export function someOf<T>(cases: readonly T[], turn: number): readonly T[] {
  return testsAll || turn === 0 ? cases : cases.filter((_, i) => i % 3 === turn % Math.min(3, cases.length));
}
