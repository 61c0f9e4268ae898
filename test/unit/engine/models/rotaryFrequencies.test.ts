// Rotary frequencies compared with Transformers' ROPE_INIT_FUNCTIONS (head_dim 16), computed by transformers 5.23.
import { describe, expect, it } from 'vitest';
import {
  rotaryFrequencies,
  type RopeScaling,
  type RopeSettings,
} from '../../../../extension/src/engine/models/rotaryFrequencies.js';
import { inputErrorOf } from '../../../support/inputErrors.js';

const LLAMA3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 128,
};

const CASES: [string, number, RopeScaling | null, number[]][] = [
  ['default', 10000, null, [1, 0.31622776, 0.1, 0.031622776, 0.01, 0.0031622778, 0.001, 0.00031622779]],
  [
    'linear',
    500,
    { type: 'linear', factor: 4 },
    [0.25, 0.11496582, 0.05286856, 0.024312312, 0.01118034, 0.0051414282, 0.002364354, 0.0010872796],
  ],
  [
    'llama3',
    500000,
    LLAMA3,
    [1, 0.1911265, 0.0047007538, 0.00091158313, 0.00017677668, 3.4281025e-5, 6.6478697e-6, 1.2891732e-6],
  ],
];

const frequencies = (scaling: RopeScaling | null, more: Partial<RopeSettings> = {}) =>
  rotaryFrequencies(
    { headDim: 16, theta: 1e4, scaling, maxPositions: 4096, originalPositions: null, ...more },
    'config.json',
  );

describe('rotaryFrequencies', () => {
  it.each(CASES)('%s', (_, theta, scaling, expected) => {
    const { inverseFrequencies } = frequencies(scaling, { theta });
    inverseFrequencies.forEach((value, i) => expect(value / expected[i]!).toBeCloseTo(1, 5));
  });

  it('limits sequences to those with short factors', () => {
    const factors = { short_factor: new Array(8).fill(1), long_factor: new Array(8).fill(4) };
    const longrope = { rope_type: 'longrope', ...factors, original_max_position_embeddings: 512 };
    expect(frequencies(longrope).maxPositions).toBe(512);
    expect(frequencies({ type: 'dynamic', factor: 2 }).maxPositions).toBeNull();
  });

  it.each<[string, RopeScaling, string]>([
    ['an unknown type', { rope_type: 'spiral', factor: 2 }, '"spiral"'],
    ['no factor', { rope_type: 'linear' }, 'factor'],
    ['no factor', { type: 'dynamic' }, 'factor'],
    ['no factor', { type: 'yarn', original_max_position_embeddings: 16 }, 'factor'],
    ['a factor without a type', { factor: 2 }, 'factor'],
    ['no high_freq_factor', { ...LLAMA3, high_freq_factor: undefined }, 'high_freq_factor'],
    ['short_factor of another length', { type: 'longrope', short_factor: [1], long_factor: [1] }, 'short_factor'],
  ])('names %s: %j', async (_, scaling, part) => {
    const error = await inputErrorOf(() => frequencies(scaling));
    expect(error.message).toContain(part);
    expect(error.where).toContain('rope_scaling');
  });
});
