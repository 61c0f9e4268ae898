// Seeded random numbers for the scripts of this folder (corpus, datasets, initial weights): the same seed gives the same bytes on
// all machines.

/**
 * @typedef {object} Random
 * @property {() => number} next a number in [0, 1)
 * @property {(limit: number) => number} int a whole number in [0, limit)
 * @property {(probability: number) => boolean} chance true with this probability
 * @property {<T>(items: readonly T[]) => T} pick one of the items
 * @property {<T>(items: readonly T[], count: number) => T[]} sample this number of different items, in random order
 * @property {<T>(items: readonly T[]) => T[]} shuffle all items in random order, as a new array
 * @property {() => number} normal a draw of N(0, 1)
 */

/**
 * mulberry32: 32 bits of state, which is enough for choosing words and for initial weights.
 * @param {number} seed
 * @returns {Random}
 */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = limit => Math.floor(next() * limit);
  const shuffle = items => {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = int(i + 1);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  };
  return {
    next,
    int,
    chance: probability => next() < probability,
    pick: items => items[int(items.length)],
    sample: (items, count) => shuffle(items).slice(0, count),
    shuffle,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/**
 * FNV-1a, for splits that depend on the text of a row instead of its position.
 * @param {string} text
 * @returns {number} an unsigned 32-bit number
 */
export function hashText(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // FNV's low bits depend mostly on the last characters: mix in the high ones, since callers take a remainder.
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x85ebca6b) >>> 0;
}
