// The project's only source of randomness: split, order, initial values, dropout and sampling all come from a seed through
// this file, so that equal seeds give equal runs on every machine. Never calls Math.random or the clock.
// Generator: xoshiro128** (Blackman & Vigna 2018, public domain), its 128-bit state filled by splitmix32.

/** State of a generator as JSON: four 32-bit words, and the second normal deviate of the last pair if it is unused. */
export interface RngState {
  words: [number, number, number, number];
  spareNormal: number | null;
}

export interface Rng {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number;
  /** Uniform integer in [0, n); n at most 2^32. */
  int(n: number): number;
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** Standard normal deviate (Marsaglia's polar method). */
  normal(): number;
  /** An independent generator named by `label`. It depends on this generator's seed and the labels on the path to it, but not on
   *  how many numbers were drawn, so that an added draw changes nothing elsewhere. */
  fork(label: string): Rng;
  /** Shuffles in place (Fisher-Yates) and returns the same array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
  /** Everything that `restoreRng` needs to continue from here. */
  state(): RngState & { seed: number };
}

/** Creates a generator. A string seed is hashed (FNV-1a with a finalizer); a number is taken modulo 2^53. */
export function createRng(seed: number | string): Rng {
  const seed32 = typeof seed === 'string' ? hashText(seed, 0) : mixNumber(seed);
  return build(seed32, { words: fillState(seed32), spareNormal: null });
}

/** Continues a generator from a result of `state()`. */
export function restoreRng(state: RngState & { seed: number }): Rng {
  return build(state.seed, { words: [...state.words], spareNormal: state.spareNormal });
}

function build(seed32: number, state: RngState): Rng {
  const s = Uint32Array.from(state.words);
  let spareNormal = state.spareNormal;

  function nextUint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return result;
  }

  const rng: Rng = {
    next: () => nextUint32() / 4294967296,
    int: n => Math.floor((nextUint32() / 4294967296) * n),
    uniform: (low, high) => low + (high - low) * rng.next(),
    normal() {
      if (spareNormal !== null) {
        const value = spareNormal;
        spareNormal = null;
        return value;
      }
      let u = 0;
      let v = 0;
      let square = 0;
      do {
        u = 2 * rng.next() - 1;
        v = 2 * rng.next() - 1;
        square = u * u + v * v;
      } while (square >= 1 || square === 0);
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spareNormal = v * factor;
      return u * factor;
    },
    fork(label) {
      const forkSeed = hashText(label, seed32);
      return build(forkSeed, { words: fillState(forkSeed), spareNormal: null });
    },
    shuffle(items) {
      const array = items as { length: number; [index: number]: unknown };
      for (let i = array.length - 1; i > 0; i--) {
        const j = rng.int(i + 1);
        const held = array[i];
        array[i] = array[j];
        array[j] = held;
      }
      return items;
    },
    state: () => ({ seed: seed32, words: [s[0], s[1], s[2], s[3]], spareNormal }),
  };
  return rng;
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** splitmix32, four words; it never produces the all-zero state, which xoshiro could not leave. */
function fillState(seed32: number): [number, number, number, number] {
  let a = seed32;
  const word = () => {
    a = (a + 0x9e3779b9) | 0;
    return finalize(a);
  };
  return [word(), word(), word(), word()];
}

/** 32-bit finalizer with full avalanche (constants of the "lowbias32" search, Wellons 2018). */
function finalize(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

function mixNumber(seed: number): number {
  const high = Math.floor(Math.abs(seed) / 4294967296);
  return (finalize(seed >>> 0) ^ (high === 0 ? 0 : finalize(high ^ 0x5bd1e995))) >>> 0;
}

function hashText(text: string, basis: number): number {
  let hash = (0x811c9dc5 ^ basis) >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return finalize(hash);
}
