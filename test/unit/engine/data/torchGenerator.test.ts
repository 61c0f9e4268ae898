// Values of torch 2.15.0 on a CPU: torch.empty(...).uniform_(low, high, generator=torch.Generator().manual_seed(seed)).
import { expect, test } from 'vitest';
import { TorchGenerator } from '../../../../extension/src/engine/data/torchGenerator.js';

test('gives torch’s values, over many renewals of its state', () => {
  const drawn = new TorchGenerator(0).uniform(256 * 2048, -1, 1);
  const at = [0, 1, 15, 16, 17, 623, 624, 625, 1000, 100_000, 256 * 2048 - 1].map(i => drawn[i]!);
  expect(at).toEqual([
    -0.007486820220947266, 0.5364435911178589, 0.03704357147216797, 0.39533519744873047, 0.6000227928161621,
    -0.9756808280944824, -0.28469157218933105, -0.681167483329773, -0.08501732349395752, 0.514417290687561,
    0.22823786735534668,
  ]);
  expect(drawn.reduce((sum, value) => sum + value, 0)).toBeCloseTo(455.6802558898926, 8);
});

test.each([
  ['123456789012', 123_456_789_012],
  ['its lower 32 bits', 123_456_789_012 % 2 ** 32],
])('continues with the next tensor, for the seed %s', (_, seed) => {
  const generator = new TorchGenerator(seed);
  // PEFT's _kaiming_init of [3, 5], then of [4, 3].
  const [five, three] = [Math.sqrt(3) * (Math.sqrt(2) / Math.sqrt(5)), Math.sqrt(3) * (Math.sqrt(2) / Math.sqrt(3))];
  expect([...generator.uniform(15, -five, five)].slice(0, 4)).toEqual([
    -0.6625686883926392, -1.0003533363342285, 0.33317989110946655, 1.0880619287490845,
  ]);
  expect([...generator.uniform(12, -three, three)].slice(0, 4)).toEqual([
    0.05546879023313522, -1.4090486764907837, 0.3180679380893707, -0.41681107878684998,
  ]);
});
