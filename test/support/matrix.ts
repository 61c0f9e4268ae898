// Which pairs of a matrix are tested. `npm test` takes a part; `npm run test:all` takes them all.

/** Set by extension/scripts/test.mjs. */
export const testsAll = process.env['TUNEWRIGHT_TEST_ALL'] === '1';

/** Of the cases of one group: all of the first, of others a third, which turns from group to group. */
export function someOf<T>(cases: readonly T[], turn: number): readonly T[] {
  return testsAll || turn === 0 ? cases : cases.filter((_, i) => i % 3 === turn % Math.min(3, cases.length));
}

/**
 * Of cases in groups, such as model families with every method: the first group as a whole, and a third of each other, which turns
 * from group to group, so that each kind of case is in several groups.
 */
export function covering<T>(cases: readonly T[], groupOf: (each: T) => unknown): readonly T[] {
  const groups = [...new Set(cases.map(groupOf))];
  return groups.flatMap((group, turn) =>
    someOf(
      cases.filter(each => groupOf(each) === group),
      turn,
    ),
  );
}
