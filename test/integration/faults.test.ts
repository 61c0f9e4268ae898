// A short `npm run faults`: training processes that are killed, run out of disk or lose power at seeded moments, and run folders
// whose files were damaged, end with the bits of an undisturbed run or with a refusal that names the file.
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { bundleClaimant } from '../support/claimant.js';
import { LOSSES } from '../faults/powerLoss.js';
import {
  claimAsPair,
  damage,
  failAtChange,
  killAtChange,
  killedRun,
  losePower,
  losePowerEverywhere,
  signalAfter,
  trainAsPair,
} from '../faults/trials.js';
import { FAILURES, randomOf, Workshop } from '../faults/workshop.js';

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const shop = new Workshop();
afterAll(() => shop.close());

/** Each test has moments of its own, whichever of them run. */
const momentsOf = (seed: number, most: number) => {
  const random = randomOf(seed);
  return (count: number) => Array.from({ length: count }, () => 1 + Math.floor(random() * most));
};

describe('a run that is killed while it writes', () => {
  it.each([
    ['LORA', 1],
    ['wasm', 3],
    ['int8', 4],
  ])('with %s, seed %i, ends as an undisturbed one', async (variant, seed) => {
    const moments = momentsOf(seed, (await shop.whole(variant)).changes)(2);
    expect(await killAtChange(shop, variant, moments), `killed at ${moments.join(', ')}`).toBeNull();
  });

  it('or is told to end does, too', async () => {
    expect(await signalAfter(shop, 'LORA', 'SIGTERM', 4)).toBeNull();
  });
});

it.each(FAILURES)('a disk that is suddenly %s ends the run with a clear error and costs no checkpoint', async kind => {
  const [at] = momentsOf(5, (await shop.whole('LORA')).changes)(1);
  expect(await failAtChange(shop, 'LORA', kind, at!), `from change ${at} on`).toBeNull();
});

it('after a power loss at any moment, the checkpoint that was reported last is there, and the result once it was', async () => {
  const { moments, finding } = await losePowerEverywhere(shop, 'LORA', randomOf(7), 0.15);
  expect(finding).toBeNull();
  expect(moments).toBeGreaterThan(50);
});

it.each(LOSSES)('what a power loss leaves of %s is resumed to the same end', async loss => {
  expect(await losePower(shop, 'LORA', loss, randomOf(8))).toBeNull();
});

describe('a damaged file', () => {
  let killed: ReturnType<typeof killedRun> | undefined;
  it.each([
    ['run.json', 'flipped'],
    ['events.ndjson', 'zeros'],
    ['checkpoints/step-4/state.json', 'of another checkpoint'],
    ['checkpoints/step-4/optimizer.safetensors', 'flipped'],
  ])('%s that is %s', async (file, kind) => {
    killed ??= killedRun(shop, 'LORA');
    expect(await damage(shop, 'LORA', await killed, file, kind, randomOf(9))).toBeNull();
  });
});

it('of twenty pairs that claim a folder at once, one of which may die, one holds it', async () => {
  const program = await bundleClaimant(shop.path, 'tunewright.mjs');
  const random = randomOf(10);
  for (let i = 0; i < 20; i++)
    expect(await claimAsPair(join(shop.path, 'process.json'), program, random), `pair ${i}`).toBeNull();
});

it('of two engines in one folder, one trains and the other is told so', async () => {
  expect(await trainAsPair(shop, 'LORA')).toBeNull();
});
