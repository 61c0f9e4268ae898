import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createRng } from '../../../../extension/src/engine/data/rng.js';
import { TokenStore } from '../../../../extension/src/engine/data/tokenStore.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunewright-store-'));
  vi.stubEnv('TMPDIR', folder);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Rows of various lengths with runs of labels, including an empty one and one longer than a chunk of the store. */
function rows(count: number, longest: number) {
  const rng = createRng(5);
  return Array.from({ length: count }, (_, r) => {
    const length = r === 1 ? 0 : r === 2 ? longest : rng.int(longest / 4);
    const inputIds = Int32Array.from({ length }, (_, i) => (r * 7919 + i) % 50000);
    const labels = inputIds.map((id, i) => (Math.floor(i / (r + 2)) % 2 === r % 2 ? id : -100));
    return { inputIds, labels };
  });
}

const openFiles = () =>
  readdirSync('/proc/self/fd').filter(name => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      return false;
    }
  });

const bytes = (ids: Int32Array) => new Uint8Array(ids.buffer);

describe.each([
  ['in memory', 256 << 20],
  ['in a temporary file', 0],
  ['in both', 4 << 20],
])('TokenStore %s', (name, memoryBytes) => {
  test('returns the stored rows in any order, and leaves no file behind', () => {
    const store = new TokenStore({ memoryBytes });
    const expected = rows(12, 1_200_000);
    for (const row of expected) store.append(row);
    expect(store.length).toBe(expected.length);
    if (process.platform === 'linux') expect(openFiles()).toHaveLength(name === 'in memory' ? 0 : 1);
    // Nothing is left of a process that is killed now.
    if (process.platform !== 'win32') expect(readdirSync(folder)).toEqual([]);
    for (const i of createRng(1).shuffle(expected.map((_, r) => r))) {
      expect(store.lengthOf(i)).toBe(expected[i].inputIds.length);
      const { inputIds, labels } = store.get(i);
      expect(Buffer.compare(bytes(inputIds), bytes(expected[i].inputIds)), `ids of row ${i}`).toBe(0);
      expect(Buffer.compare(bytes(labels), bytes(expected[i].labels)), `labels of row ${i}`).toBe(0);
    }
    store.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});
