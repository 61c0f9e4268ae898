import { describe, expect, test } from 'vitest';
import { createRng, restoreRng } from '../../../../extension/src/engine/data/rng.js';

describe('createRng', () => {
  test('equal seeds give equal sequences, different seeds different ones', () => {
    const draw = (seed: number | string) => {
      const rng = createRng(seed);
      return Array.from({ length: 8 }, () => rng.next());
    };
    expect(draw(42)).toEqual(draw(42));
    const first = [0, 1, 2, 42, 2 ** 32, 2 ** 40 + 1, 'a', 'b', ''].map(seed => draw(seed)[0]);
    expect(new Set(first).size).toBe(first.length);
  });

  test('the sequence of seed 42 never changes, since resuming old checkpoints depends on it', () => {
    const rng = createRng(42);
    expect([rng.int(1000), rng.int(1000), rng.int(1000), rng.int(1000)]).toMatchInlineSnapshot(`
      [
        713,
        677,
        495,
        63,
      ]
    `);
  });

  test('the generator is xoshiro128**: the first outputs of its reference from state 1, 2, 3, 4', () => {
    const rng = restoreRng({ seed: 0, words: [1, 2, 3, 4], spareNormal: null });
    const words = Array.from({ length: 4 }, () => rng.next() * 2 ** 32);
    expect(words).toEqual([11520, 0, 5927040, 70819200]);
  });

  test('numbers are uniform and normal', () => {
    const rng = createRng('moments');
    const n = 20000;
    let sum = 0;
    let normalSum = 0;
    let normalSquares = 0;
    for (let i = 0; i < n; i++) {
      const u = rng.next();
      expect(u >= 0 && u < 1).toBe(true);
      sum += u;
      const z = rng.normal();
      normalSum += z;
      normalSquares += z * z;
    }
    expect(sum / n).toBeCloseTo(0.5, 2);
    expect(Math.abs(normalSum / n)).toBeLessThan(0.03);
    expect(normalSquares / n).toBeCloseTo(1, 1);
    expect(rng.uniform(3, 4)).toBeGreaterThanOrEqual(3);
  });

  test('int reaches every value and no other', () => {
    const rng = createRng(7);
    const seen = new Set(Array.from({ length: 500 }, () => rng.int(5)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test('a fork does not depend on how many numbers were drawn before', () => {
    const early = createRng(1).fork('dropout');
    const parent = createRng(1);
    parent.next();
    parent.normal();
    const late = parent.fork('dropout');
    expect(late.next()).toBe(early.next());
    expect(createRng(1).fork('a').next()).not.toBe(createRng(1).fork('b').next());
    expect(createRng(1).fork('a').next()).not.toBe(createRng(2).fork('a').next());
  });

  test('shuffle is a permutation, also of typed arrays', () => {
    const items = createRng(3).shuffle(Int32Array.from({ length: 100 }, (_, i) => i));
    expect([...items]).not.toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...items].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test('a state restored from JSON continues exactly, including forks', () => {
    const rng = createRng(9);
    rng.next();
    rng.normal();
    const again = restoreRng(JSON.parse(JSON.stringify(rng.state())));
    expect([again.normal(), again.next(), again.fork('x').next()]).toEqual([
      rng.normal(),
      rng.next(),
      rng.fork('x').next(),
    ]);
  });
});
